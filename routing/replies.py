"""Replies to directed pushes: how a recipient's answer, or the hub's own no, comes back to the waiting edge."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from routing.log.port import Headers

PASSED = ("Content-Type", "Retry-After", "Link", "X-Total-Count", "X-Limit")
"""Headers of a recipient's answer that are given on; Location is given on rewritten."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller of a directed push is to be told.

    With a `body` it is the recipient's own answer (`http_status` its own, `headers` those of PASSED that it had).
    Without one it is the hub's: `status_code` and `message` for an envelope. `location` is the Location header that
    the caller reads, rewritten already.
    """

    event_id: str
    http_status: int
    status_code: int
    body: bytes = b""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    location: str | None = None


def encode(reply: Reply) -> tuple[Headers, bytes]:
    passed = {name: _written(value) for name, value in reply.headers.items()}
    meta = [reply.event_id, reply.http_status, reply.status_code, reply.message, passed, reply.location]
    return (("reply", orjson.dumps(meta)),), reply.body


def _written(value: str) -> str:
    """A header's value as JSON can hold it: bytes that are no UTF-8 stand in it as halves of surrogate pairs."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def decode(headers: Headers, value: bytes) -> Reply:
    """Raises ValueError for a record that is no reply."""
    event_id, http_status, status_code, message, passed, location = orjson.loads(dict(headers)["reply"])
    return Reply(event_id, http_status, status_code, value, message, passed, location)
