"""What a sample platform keeps of the calls it receives and makes, and how a test waits for one of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from connectors.sample import wire
from connectors.values import InterfaceRole, PartyId


@dataclass(slots=True)
class Received:
    """One request as it came in, recorded once its body is whole and before anything is answered.

    `path` is as it stood on the request line, with its query; `at` and `ended_at` are seconds of time.monotonic().
    `http_status` and `ended_at` are filled in when the request ends; no status means that nothing was answered.
    `module`, `interface` and `segments` are None or empty where the URL is none of a module's.
    """

    seq: int
    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    json: Any
    module: str | None = None
    interface: InterfaceRole | None = None
    segments: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    http_status: int | None = None
    ended_at: float | None = None

    @property
    def to(self) -> PartyId | None:
        """The party of the OCPI-to headers."""
        return wire.party(self.headers, wire.TO_COUNTRY, wire.TO_PARTY)

    @property
    def sender(self) -> PartyId | None:
        """The party of the OCPI-from headers."""
        return wire.party(self.headers, wire.FROM_COUNTRY, wire.FROM_PARTY)


@dataclass(frozen=True, slots=True)
class Call:
    """One call in one line, made (`out`) or served (`in`): who, what, and how it ended; `ms` is milliseconds.

    A status of None means that there was no answer. `facts` say what it is about (see connectors.sample.facts).
    """

    direction: str
    sender: str
    to: str
    module: str
    interface: str
    method: str
    path: str
    http_status: int | None
    ocpi_status: int | None
    ms: float
    facts: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """The call as a line of JSON, its sender under the name `from`."""
        content = asdict(self)
        return orjson.dumps({"direction": content.pop("direction"), "from": content.pop("sender"), **content}).decode()

    @classmethod
    def read(cls, line: str | bytes) -> Call | None:
        """The call of such a line; None where it is none."""
        try:
            content = orjson.loads(line)
            return cls(sender=content.pop("from"), **content)
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            return None


class Recorder:
    """The received requests, the newest `keep` of them (all when None), and those who wait for one."""

    def __init__(self, keep: int | None = None) -> None:
        self.received: deque[Received] = deque(maxlen=keep)
        self.count = 0
        self._waiting: list[tuple[Callable[[Received], bool], asyncio.Future[Received]]] = []

    def add(self, received: Received) -> None:
        """Keep a request and wake whoever waits for such a one."""
        self.received.append(received)
        for predicate, waiter in self._waiting:
            if not waiter.done() and predicate(received):
                waiter.set_result(received)

    async def wait_for(self, predicate: Callable[[Received], bool], timeout: float, *, after: int = 0) -> Received:
        """The first kept request, or the next one to come, that fits and whose `seq` is above `after`.

        `timeout` is in seconds. Raises TimeoutError.
        """

        def fits(received: Received) -> bool:
            return received.seq > after and predicate(received)

        for received in self.received:
            if fits(received):
                return received
        with self._waiter(fits) as waiter:
            return await asyncio.wait_for(waiter, timeout)

    @contextlib.contextmanager
    def _waiter(self, predicate: Callable[[Received], bool]) -> Iterator[asyncio.Future[Received]]:
        entry = (predicate, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            yield entry[1]
        finally:
            self._waiting.remove(entry)
