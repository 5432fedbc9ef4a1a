"""The frozen envelopes of `.v1`, and the same facts as this release writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from connectors.values import PartyId
from routing import event as events
from routing import exchanges
from routing.event import Event
from routing.exchanges import Exchange
from routing.log.port import Headers, Position, Record, TopicPartition
from routing.outbound import Answered
from routing.policy import Outcome
from routing.worker import outcomes, resynced
from routing.worker.resynced import Resynced
from routing.worker.tracker import Entry, attempt

PUSHES = ("broadcast", "directed", "delete", "token")


class Kept(NamedTuple):
    """One record: its topic, key, headers and value as text."""

    topic: str
    key: str
    headers: dict[str, str]
    value: str

    @property
    def raw(self) -> Headers:
        return tuple((name, value.encode()) for name, value in self.headers.items())


def _kept(topic: str, key: bytes, headers: Headers, value: bytes) -> Kept:
    return Kept(topic, key.decode(), {name: one.decode() for name, one in headers}, value.decode())


FROZEN = {
    one.pop("name"): Kept(**one)
    for one in json.loads((Path(__file__).parent / "envelopes" / "v1.json").read_text("utf-8"))
}


def event(name: str) -> Event:
    """The event of a frozen push."""
    return events.decode(FROZEN[name].raw, FROZEN[name].value.encode())


def now() -> dict[str, Kept]:
    """Every frozen record, written by this release."""
    pushes = {name: event(name) for name in PUSHES}
    written = {name: _kept(one.topic, one.key, events.encode(one), one.payload) for name, one in pushes.items()}
    return written | {"outcome": _outcome(), "resync": _resync(), "exchanges": _exchanges()}


def _outcome() -> Kept:
    told: dict[str, Any] = json.loads(FROZEN["outcome"].value)
    one = event("broadcast")
    position = Position(told["epoch"], told["offset"])
    entry = Entry(Record(one.topic, told["partition"], position, 0, one.key, (), b""), one, 0.0)
    # what later releases write beside it
    entry.tried(attempt(PartyId("FR", "ABC"), one.accepted, Answered(503, 3000, {}, b"", 2.0), one.accepted))
    for party, outcome, detail, ms in told["results"]:
        entry.opened(PartyId.parse(party), "platform")
        entry.ended(PartyId.parse(party), Outcome(outcome), detail, ms)
    return _kept("ocpi.outcomes", *outcomes.record(entry))


def _resync() -> Kept:
    one = event("broadcast")
    tp, position = TopicPartition(one.topic, 3), Position(1, 42)
    made = attempt(PartyId("FR", "ABC"), one.accepted, Answered(200, 1000, {}, b"", 2.0), one.accepted)
    told = Resynced(
        one, tp, Position(1, 7), position, PartyId("FR", "ABC"), "PUT", one.accepted, Outcome.DELIVERED, (made,), False
    )
    return _kept("ocpi.outcomes", *resynced.record(told))


def _exchanges() -> Kept:
    (told,) = json.loads(FROZEN["exchanges"].value)
    given = {**told, "path": tuple(told["path"])}
    given |= {party: PartyId.parse(told[party]) for party in ("sender", "recipient")}
    headers, value = exchanges.encode([Exchange(**given)])
    return _kept("ocpi.exchanges", b"edge-1", headers, value)
