"""The reference of a relay: a bare reverse proxy on aiohttp, as plain as it can be and still right (DESIGN, speed).

`python -m tests.bench.reference_proxy PORT TARGET_ORIGIN`
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Final

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

_HOP_BY_HOP: Final = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""What is said between neighbours (RFC 9110, 7.6.1); length and host are each leg's own."""


class Proxy:
    """Forwards every request to one origin and gives its answer back."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._session: aiohttp.ClientSession

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """One session for all requests."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        async with self._session:
            yield

    async def forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._session.request(
            request.method,
            URL(self._origin + request.raw_path, encoded=True),
            headers=_end_to_end(request.headers),
            data=body or None,
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
            return web.Response(status=answer.status, body=content, headers=_end_to_end(answer.headers))


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


def main(port: str, origin: str) -> None:
    """Serve until SIGTERM."""
    proxy = Proxy(origin)
    app = web.Application(client_max_size=2**30)
    app.cleanup_ctx.append(proxy.lifetime)
    app.router.add_route("*", "/{path:.*}", proxy.forward)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main(*sys.argv[1:])
