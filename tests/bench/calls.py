"""The requests of the load, as bytes that only need to be written: reads of one object, and pushes of many."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from connectors import headers
from tests.bench import bodies

Source = Callable[[], bytes]
"""Gives the next request of one connection."""

HUB = ("NL", "HUB")

_SCATTER = 7919  # a prime: steps of it visit every object before one comes again


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls whom, with which credential (sent as Base64, as OCPI 2.2.1, 4.1.2 has it). Without `to` the hub has
    to find out whom."""

    credential: str
    sender: tuple[str, str]
    to: tuple[str, str] | None

    @property
    def authorization(self) -> str:
        return f"Token {b64encode(self.credential.encode()).decode()}"

    def head(self, method: str, path: bytes, length: int = 0) -> bytes:
        """The request down to the empty line; `%` fills what `path` has to fill, then the request's number."""
        lines = [
            "Host: localhost",
            f"Authorization: {self.authorization}",
            f"{headers.REQUEST_ID}: 7d1f9a52-4c1e-4b8a-9d00-%012d",
            f"{headers.CORRELATION_ID}: 3b0c6e0a-5f7e-4a43-8f55-d2b1c1f3a001",
            f"{headers.FROM_COUNTRY}: {self.sender[0]}",
            f"{headers.FROM_PARTY}: {self.sender[1]}",
            "Accept: application/json",
        ]
        if self.to is not None:
            lines += [f"{headers.TO_COUNTRY}: {self.to[0]}", f"{headers.TO_PARTY}: {self.to[1]}"]
        if length:
            lines += ["Content-Type: application/json", f"Content-Length: {length}"]
        return method.encode() + b" " + path + b" HTTP/1.1\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n"


def location_get(caller: Caller) -> Source:
    """GET of one Location on the SENDER interface, again and again."""
    template = caller.head("GET", b"/ocpi/2.2.1/sender/locations/L000001")
    numbers = count()
    return lambda: template % next(numbers)


class Pushes:
    """PUTs of many objects, each with a number of its own; `last` is the last number of each object.

    Every connection pushes objects of its own, so that of one object the last push is known. They come in a scattered
    order, which begins elsewhere for another `start`; the number of the first push is `first`.
    """

    def __init__(self, template: bytes, objects: int, path: bytes, *, start: int = 0, first: int = 1) -> None:
        self.last: dict[int, int] = {}
        self._template = template
        self._objects = objects
        self._path = path
        self._start = start
        self._numbers = count(first)

    def source(self, at: int, connections: int) -> Source:
        """The requests of connection `at` of so many."""
        own: Sequence[int] = range(at % self._objects, self._objects, connections)
        turn, last, numbers, template = count(self._start), self.last, self._numbers, self._template

        def request() -> bytes:
            which = own[next(turn) * _SCATTER % len(own)]
            number = last[which] = next(numbers)
            return template % (which, number, which, number)

        return request

    def sources(self, connections: int) -> list[Source]:
        """The requests of every connection."""
        return [self.source(at, connections) for at in range(connections)]

    def expected(self) -> dict[str, str]:
        """For each object that was pushed: the path below a RECEIVER's endpoint, and what its last body holds."""
        return {(self._path % which).decode(): bodies.marker(number).decode() for which, number in self.last.items()}


def location_pushes(caller: Caller, objects: int, *, start: int = 0, first: int = 1) -> Pushes:
    """PUT of Locations of the sample CPO on the RECEIVER interface."""
    path = b"locations/NL/TNM/" + bodies.ID_FORMAT
    head = caller.head("PUT", b"/ocpi/2.2.1/receiver/" + path, bodies.LOCATION_BYTES)
    return Pushes(head + bodies.location_template(), objects, path, start=start, first=first)


def token_pushes(caller: Caller, objects: int) -> Pushes:
    """PUT of Tokens of the sample eMSP on the RECEIVER interface."""
    path = b"tokens/DE/EMS/" + bodies.TOKEN_FORMAT
    body = bodies.token_template()
    head = caller.head("PUT", b"/ocpi/2.2.1/receiver/" + path, len(body % (0, 0)))
    return Pushes(head + body, objects, path)


def session_pushes(caller: Caller, objects: int) -> Pushes:
    """PUT of Sessions of the sample CPO on the RECEIVER interface."""
    path = b"sessions/NL/TNM/" + bodies.SESSION_FORMAT
    body = bodies.session_template(caller.to or bodies.EMSP)
    head = caller.head("PUT", b"/ocpi/2.2.1/receiver/" + path, len(body % (0, 0)))
    return Pushes(head + body, objects, path)


def scattered(objects: int) -> Iterator[int]:
    """Numbers of so many objects, all of them once before one comes again. For the connections of one load together."""
    return (turn * _SCATTER % objects for turn in count())


def starts(caller: Caller, response_url: str, which: Iterator[int]) -> Source:
    """START_SESSION at one Location or another on the RECEIVER interface."""
    body = bodies.start_template(response_url)
    template = caller.head("POST", b"/ocpi/2.2.1/receiver/commands/START_SESSION", len(body % 0)) + body
    numbers = count()
    return lambda: template % (next(numbers), next(which))


def authorizations(caller: Caller, which: Iterator[int]) -> Source:
    """A real-time authorization of one Token or another on the SENDER interface."""
    body = bodies.place_template() % 1
    path = b"/ocpi/2.2.1/sender/tokens/" + bodies.TOKEN_FORMAT + b"/authorize?type=RFID"
    template = caller.head("POST", path, len(body)) + body
    numbers = count()
    return lambda: template % (next(which), next(numbers))


def pages(caller: Caller, paths: Sequence[bytes], start: int = 0) -> Source:
    """GET of these pages of a list, one after the other."""
    requests = [caller.head("GET", path.replace(b"%", b"%%")) for path in paths]
    numbers, turn = count(), count(start)
    return lambda: requests[next(turn) % len(requests)] % next(numbers)


def in_turn(*sources: Source) -> Source:
    """The next request of one source after the other."""
    turn = count()

    def request() -> bytes:
        return sources[next(turn) % len(sources)]()

    return request
