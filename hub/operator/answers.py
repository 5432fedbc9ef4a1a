"""The answers of the operator API: JSON, errors as {"error": sentence}."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web


def answer(content: Any, *, status: int = 200, **headers: str) -> web.Response:
    """`content` as JSON."""
    return web.Response(
        body=orjson.dumps(content), status=status, headers={"Content-Type": "application/json", **headers}
    )


def failure(status: int, sentence: str, **headers: str) -> web.Response:
    """A sentence that says what to mend."""
    return answer({"error": sentence}, status=status, **headers)
