"""What is open to whoever reaches the operator port: health, readiness, metrics, and the document of the API."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

import orjson
from aiohttp import web

from hub.operator import shapes
from hub.operator.answers import answer
from hub.operator.openapi import document
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.readiness import Readiness
from hub.operator.requests import Nothing

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})
"""They need no key."""

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Plain = Asked[Nothing, Nothing]


class Watching:
    """`ready` is asked at each /readyz; `metrics` gives the page of /metrics in Prometheus' text format."""

    def __init__(self, ready: Callable[[], Readiness], metrics: Callable[[], bytes]) -> None:
        self._ready = ready
        self._metrics = metrics
        self.everything: Operations = ()
        """What the document is of; set before it is asked for."""

    def operations(self) -> Operations:
        """All of this part."""
        ready, page, json = shapes.Ready, METRICS_TYPE.partition(";")[0], "application/json"
        return (
            Operation("GET", "/healthz", self._healthz, Nothing, Nothing, shapes.Health, open=True),
            Operation("GET", "/readyz", self._readyz, Nothing, Nothing, ready, also=(503,), open=True),
            Operation("GET", "/metrics", self._page, Nothing, Nothing, page, open=True),
            Operation("GET", "/openapi.json", self._openapi, Nothing, Nothing, json, open=True),
        )

    async def _healthz(self, _: Plain) -> web.Response:
        """Whether the process lives."""
        return answer({"status": "alive"})

    async def _readyz(self, _: Plain) -> web.Response:
        """Whether the hub can do its work, and what keeps it from that."""
        now = self._ready()
        return answer({"ready": now.ready, "reasons": now.reasons}, status=200 if now.ready else 503)

    async def _page(self, _: Plain) -> web.Response:
        """The metrics, for Prometheus."""
        return web.Response(body=self._metrics(), headers={"Content-Type": METRICS_TYPE})

    async def _openapi(self, _: Plain) -> web.Response:
        """This document."""
        return web.Response(body=self._document, headers={"Content-Type": "application/json"})

    @cached_property
    def _document(self) -> bytes:
        return orjson.dumps(document(self.everything), option=orjson.OPT_INDENT_2)
