"""Recipients that need no socket: the client's stand-in, and what is answered through it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import orjson
from multidict import CIMultiDict, CIMultiDictProxy

from connectors.client.client import Answer

MODULES = ("locations", "tariffs", "tokens", "sessions", "cdrs", "commands", "chargingprofiles")

THEIRS = b'{"status_code":1000,"timestamp":"2026-03-01T10:00:00Z","theirs":true}'
"""What every recipient answers: an envelope that is told apart from the hub's own."""


class Recipients:
    """The client's stand-in: everybody answers at once. `answer` may be replaced."""

    def __init__(self) -> None:
        self.bodies: deque[bytes] = deque(maxlen=10)
        self.answer: Callable[[str, str], Answer] = usual

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        within: float,
        permit: Callable[[], bool] | None = None,
    ) -> Answer:
        del within
        for name, value in headers.items():  # as the client's own writer judges them
            assert not set("\r\n\0") & set(name + value), (name, value)
        if permit is not None:
            permit()
        self.bodies.append(body or b"")
        return self.answer(method, url)


NOT_KNOWN = b'{"status_code":2003,"status_message":"it has no such location","timestamp":"2026-03-01T10:00:00Z"}'


def usual(method: str, url: str) -> Answer:
    """Lists have a next page, no location is known, a CDR posted has a Location; versions are those of a platform."""
    origin = "/".join(url.split("/")[:3])
    match method, url.removeprefix(origin):
        case "GET", "/versions" | "/ocpi/versions":
            return _data([{"version": "2.2.1", "url": f"{origin}/2.2.1"}])
        case "GET", "/2.2.1":
            modules = ("credentials", *MODULES)
            ends = [{"identifier": one, "role": "SENDER", "url": f"{origin}/sender/{one}"} for one in modules]
            return _data({"version": "2.2.1", "endpoints": ends})
        case "POST", path if path.endswith("/cdrs"):
            return answered(headers={"Location": f"{origin}/cdrs/1"})
        case "GET", path if "/sender/locations?" in path:
            return answered(headers={"Link": f'<{origin}/sender/locations?offset=10>; rel="next"'})
        case "GET", path if path.startswith("/sender/locations/") and path.count("/") == 3:
            return answered(NOT_KNOWN, 404)
        case "GET", path if path.startswith(("/sender/tariffs?", "/sender/tokens?")):
            return _data([])
    return answered()


def _data(data: object) -> Answer:
    return answered(orjson.dumps({"status_code": 1000, "timestamp": "2026-03-01T10:00:00Z", "data": data}))


def answered(body: bytes = THEIRS, http_status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    given = CIMultiDict({"Content-Type": "application/json"} | dict(headers or {}))
    return Answer(http_status, CIMultiDictProxy(given), body, 1.0)
