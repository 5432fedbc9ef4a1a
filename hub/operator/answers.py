"""The answers of the operator API: JSON, errors as {"error": sentence}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web


def answer(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """`content` as JSON."""
    return web.Response(
        body=orjson.dumps(content), status=status, headers={"Content-Type": "application/json", **(headers or {})}
    )


def failure(status: int, sentence: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> web.Response:
    """A sentence that says what to mend; `more` stands beside it."""
    return answer({"error": sentence, **more}, status=status, headers=headers)
