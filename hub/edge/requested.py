"""A call that came as an aiohttp request, and how its body is read: neither too large, nor too slow, nor too many."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, Final

from aiohttp import web

from connectors.errors import NotJson, OcpiError, TooLarge, TooSlow
from hub.edge.values import Call
from routing.clock import Clock

LEAST_RATE: Final = 1024
"""Bytes a second that a body must keep up."""

HELD_BACK_SECONDS: Final = 0.5
"""On average, from half to one and a half of it: callers that were refused together do not come back together."""

_SPREAD: Final = (5**0.5 - 1) / 2  # its multiples, less what is whole of them, lie evenly between 0 and 1
_held_back = count()

SMALL: Final = 16 * 1024
"""A call with a body up to this is held back; a longer one would only be kept in memory meanwhile."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Requested(Call):
    """`patience` is over how many seconds a body must keep LEAST_RATE up."""

    def __init__(self, request: web.BaseRequest, clock: Clock, patience: float) -> None:
        super().__init__(request.method, request.raw_path, request.headers, clock.monotonic(), clock.utc())
        self.request = request
        self._patience = patience

    async def hold_back(self) -> None:
        content = self.request.content
        if content.is_eof() and content.total_bytes <= SMALL:
            seconds = HELD_BACK_SECONDS * (0.5 + next(_held_back) * _SPREAD % 1)
            await asyncio.sleep(seconds)
            self.waited += seconds

    async def read(self, limit: int) -> bytes:
        request = self.request
        content = request.content
        if content.is_eof() and not content.total_bytes:
            return b""
        length = request.content_length or 0
        if length > limit:
            raise _too_large(limit)
        self.hold(length)  # before a byte of it is read: what is begun can then be read to its end
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(_CONTINUE)
        try:
            return await self._read(content, limit)
        except OcpiError:
            raise
        except TimeoutError:
            raise TooSlow(
                f"the body came slower than {LEAST_RATE} bytes a second over {self._patience:g} s: send it whole"
            ) from None
        except Exception as error:  # whatever the library makes of a body that is cut off or wrongly encoded
            raise NotJson("the body did not arrive whole: check Content-Length, Content-Encoding and chunks") from error

    async def _read(self, content: Any, limit: int) -> bytes:
        if content.is_eof():
            first: bytes = await content.readany()
            if content.at_eof() and len(first) <= limit:
                self.hold(len(first))
                return first
        else:
            first = b""
        body = bytearray(first)
        clock, least = asyncio.get_running_loop().time, int(self._patience * LEAST_RATE)
        enough = least
        async with asyncio.timeout(self._patience) as window:
            while len(body) <= limit:
                self.hold(len(body))
                more = await content.readany()
                if not more:
                    return bytes(body)
                body += more
                if len(body) >= enough:
                    enough = len(body) + least
                    window.reschedule(clock() + self._patience)
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over the limit of {limit} bytes: send fewer or smaller objects in one call")
