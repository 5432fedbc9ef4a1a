"""The ways in which a sample platform misbehaves, switched while it runs."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from connectors.fault import Fault
from connectors.sample.record import Received
from connectors.sample.wire import envelope

MOVED: Final = "/moved"
_BLOCK: Final = b"a" * 65536
_HTML: Final = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer of the test's own making."""

    body: bytes = b""
    http_status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass(slots=True, eq=False)
class Rule:
    """A fault in force: for which requests, how often, and how often it struck (`hits`).

    `delay` is seconds (slow), `size` bytes (huge), `retry_after` whole seconds (429). `times` is how often it may
    strike, None without end. `module` None means every request, registration and versions too.
    """

    fault: Fault
    module: str | None = None
    method: str | None = None
    when: Callable[[Received], bool] | None = None
    times: int | None = None
    delay: float = 2.0
    size: int = 1 << 30
    retry_after: int = 1
    canned: Canned = field(default_factory=Canned)
    hits: int = 0
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, received: Received) -> bool:
        """Whether this request is to be met by the fault."""
        return (
            (self.times is None or self.hits < self.times)
            and self.module in (None, received.module)
            and self.method in (None, received.method)
            and (self.when is None or self.when(received))
        )


class Faults:
    """The rules in force; of several that fit, the newest strikes."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force, the oldest first."""
        return tuple(self._rules)

    def set(self, rule: Rule) -> Rule:
        """Put a rule in force, beside those that are; it is given back for its `hits`."""
        if rule.fault is Fault.OFFLINE:
            raise ValueError("offline is of the whole platform: use SamplePlatform.offline() or switch()")
        self._rules.append(rule)
        return rule

    def clear(self, rule: Rule | None = None) -> None:
        """Lift one rule or all; requests that hang by it lose their connection."""
        for lifted in [rule] if rule else list(self._rules):
            self._rules.remove(lifted)
            lifted.lifted.set()

    def take(self, received: Received) -> Rule | None:
        """The rule that strikes this request, counted; None when it is to be served."""
        for rule in reversed(self._rules):
            if rule.strikes(received):
                rule.hits += 1
                return rule
        return None


async def play(rule: Rule, request: web.BaseRequest) -> web.StreamResponse | None:
    """Misbehave; None where the request is to be served after all (slow, once its delay is over or it is lifted)."""
    match rule.fault:
        case Fault.SLOW:
            try:
                await asyncio.wait_for(rule.lifted.wait(), rule.delay)
            except TimeoutError:
                pass
            return None
        case Fault.HANG:
            await rule.lifted.wait()
            return _cut(request)
        case Fault.RESET:
            return _reset(request)
        case Fault.TRUNCATE:
            return _truncate(request)
        case Fault.HUGE:
            return await _huge(request, rule.size)
        case _:
            return _answer(rule, request)


def _answer(rule: Rule, request: web.BaseRequest) -> web.Response:
    match rule.fault:
        case Fault.HTML:
            return web.Response(status=502, body=_HTML, content_type="text/html")
        case Fault.EMPTY:
            return _json(b"")
        case Fault.HTTP_204:
            return web.Response(status=204)
        case Fault.NO_STATUS_CODE:
            return _json(b'{"data":[],"timestamp":"2026-01-01T00:00:00Z"}')
        case Fault.NOT_JSON:
            return _json(b"this is not JSON")
        case Fault.HTTP_500:
            return _json(envelope(code=3000, message="the sample platform was told to fail"), 500)
        case Fault.HTTP_429:
            headers = {"Retry-After": str(rule.retry_after)}
            return _json(envelope(code=2000, message="too many requests"), 429, headers)
        case Fault.HTTP_401 | Fault.HTTP_403:
            return _json(envelope(code=2000, message="refused"), int(rule.fault.removeprefix("http")))
        case Fault.REDIRECT_307 | Fault.REDIRECT_308 | Fault.REDIRECT_OTHER:
            origin = f"{request.scheme}://{request.host}"
            if rule.fault is Fault.REDIRECT_OTHER:
                origin = origin.replace("127.0.0.1", "localhost")
            status = 308 if rule.fault is Fault.REDIRECT_308 else 307
            return web.Response(status=status, headers={"Location": f"{origin}{MOVED}{request.raw_path}"})
        case Fault.CANNED:
            return web.Response(status=rule.canned.http_status, body=rule.canned.body, headers=rule.canned.headers)
        case _:
            raise AssertionError(f"{rule.fault} is not an answer")


def _json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _cut(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _reset(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        # Without lingering, closing sends RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return _cut(request)


def _truncate(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        request.transport.write(head + b'{"status_code":1000,"data":[')
        request.transport.close()
    return web.Response(status=200)


async def _huge(request: web.BaseRequest, size: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"status_code":1000,"timestamp":"2026-01-01T00:00:00Z","data":"')
    for _ in range(size // len(_BLOCK)):
        await response.write(_BLOCK)
    await response.write(b'"}')
    return response
