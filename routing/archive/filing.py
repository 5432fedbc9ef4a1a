"""Records of the log as they go into the archive: pushes, their outcomes, relays. Pure.

What is filed is made of named fields of the records alone, and no record carries a header of a call: so no credential
gets here. An exchange's id is made of where its push stands on the log, so that what is read twice is filed once; a
relay's of the request id that the hub made for it, so that one published twice is one as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from routing import event, exchanges
from routing.archive import terms
from routing.classify import PUSHED
from routing.log.port import Record
from routing.store.archive import Body, Filed, Part
from routing.topics import EVENT_TOPICS, EXCHANGES, OUTCOMES
from routing.worker import outcomes, resynced

TOPICS: Final = (*EVENT_TOPICS, OUTCOMES, EXCHANGES)
"""What the archive is made of."""

SENT: Final = "sent"
ANSWER: Final = "answer"
"""The names of the bodies: of a push or a call, and of what a relay was answered."""

CUSTODY: Final = "-custody-"
"""Stands in the id of an exchange that tells how a CDR ended which the hub had taken."""

_SUCCESS: Final = 1000  # what nobody looks for, and half of all have
_HUB: Final = "ce_ocpihub"
_READ: Final = event.READ_TYPE.encode()
_AGAIN: Final = event.AGAIN_TYPE.encode()
_RESYNC: Final = resynced.TYPE.encode()
_ENDINGS: Final = {4003: "not_sent", 4002: "unknown"}


class Unreadable(ValueError):
    """A record that this release cannot read; the archive goes on without it."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long exchanges are kept, in ms; and their bodies, 0: not at all."""

    exchanges: int
    bodies: int = 0


@dataclass(slots=True)
class Filing:
    """What one record comes to; bodies as they are, not yet compressed."""

    parts: list[Filed]
    bodies: list[Body]


def file(record: Record, keeping: Keeping) -> Filing:
    """Raises Unreadable."""
    fields = dict(record.headers)
    kind = fields.get("ce_type", b"")
    try:
        if record.topic == OUTCOMES:
            if kind == _RESYNC:
                return Filing([_resync(record, keeping)], [])
            _demand(kind, outcomes.TYPE)
            return Filing([_outcome(record, keeping)], [])
        if record.topic == EXCHANGES:
            _demand(kind, exchanges.TYPE)
            return _relays(record, keeping)
        if kind == _READ:
            return Filing([], [])  # nobody sent it to anybody
        if kind != _AGAIN:
            _demand(kind, event.TYPE)
        return _push(record, fields, keeping)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise Unreadable(
            f"{record.topic}/{record.partition} at {record.position.offset}: {type(error).__name__} {error}"
        ) from error


def id_of(topic: str, partition: int, epoch: int, offset: int) -> str:
    """The id of the exchange whose push stands there."""
    return f"{topic.removeprefix('ocpi.')}-{partition}-{epoch}-{offset}"


def _push(record: Record, fields: dict[str, bytes], keeping: Keeping) -> Filing:
    hub = orjson.loads(fields[_HUB])
    id, at = id_of(record.topic, record.partition, *record.position), hub["accepted"]
    found = dict.fromkeys(
        (
            terms.correlation(hub["correlation"]),
            terms.request(hub["request"]),
            terms.about(hub["module"], hub["object"]),
            terms.module(hub["module"]),
            *(terms.party(one) for one in (hub["from"], hub["owner"], hub["to"]) if one),
        )
    )
    content = {
        "topic": record.topic,
        "partition": record.partition,
        "epoch": record.position.epoch,
        "offset": record.position.offset,
        "appended": record.append_time,
        "event": fields["ce_id"].decode(),
        "bytes": len(record.value),
        "push": orjson.Fragment(fields[_HUB]),
    }
    part = Filed(id, Part.MESSAGE, at, at + keeping.exchanges, tuple(found), orjson.dumps(content))
    if not keeping.bodies or not record.value:
        return Filing([part], [])
    return Filing([part], [Body(id, SENT, at + keeping.bodies, record.value)])


def _outcome(record: Record, keeping: Keeping) -> Filed:
    told = orjson.loads(record.value)
    id = id_of(told["topic"], told["partition"], told["epoch"], told["offset"])
    at = told.get("accepted") or record.append_time
    found: dict[str, None] = {}
    if told.get("custody"):  # the push itself ended when the hub took it; how that ended for the hub is another matter
        owner, module, object_id = record.key.decode().split("/", 2)
        id += f"{CUSTODY}{told['custody']}"
        for term in (
            terms.correlation(told["correlation"]), terms.request(told["request"]), terms.about(module, object_id),
            terms.module(module), terms.party(owner.replace("*", "-", 1)),
        ):  # fmt: skip
            found[term] = None
    found |= dict.fromkeys(_ended(told["results"]))
    return Filed(id, Part.OUTCOME, at, at + keeping.exchanges, tuple(found), record.value)


def _resync(record: Record, keeping: Keeping) -> Filed:
    told = orjson.loads(record.value)
    found = dict.fromkeys(
        (
            terms.correlation(told["correlation"]),
            terms.about(told["module"], told["object"]),
            terms.module(told["module"]),
            terms.party(told["owner"]),
            *_ended(told["results"]),
        )
    )
    content = orjson.dumps({"resync": told})
    return Filed(told["id"], Part.MESSAGE, told["begun"], told["begun"] + keeping.exchanges, tuple(found), content)


def _ended(results: list[Any]) -> Iterator[str]:
    """The terms of how it ended for each recipient."""
    for party, outcome, detail, *_ in results:
        if party:
            yield terms.party(party)
        yield terms.outcome(outcome)
        if (code := _code(detail)) is not None and code != str(_SUCCESS):
            yield terms.outcome(code)


def _code(detail: str) -> str | None:
    """The OCPI status code that an outcome's detail begins with, where it does."""
    code = detail[:4]
    return code if len(code) == 4 and code.isascii() and code.isdigit() and detail[4:5] in ("", " ") else None


def _relays(record: Record, keeping: Keeping) -> Filing:
    filing = Filing([], [])
    for index, one in enumerate(orjson.loads(record.value)):
        at = one["at"]
        found = [
            terms.correlation(one["correlation_id"]),
            terms.request(one["request_id"]),
            terms.request(one["forwarded_id"]),
            terms.module(one["module"]),
            terms.party(one["sender"]),
            terms.party(one["recipient"]),
            terms.outcome(ending(one)),
        ]
        if (named := object_of(one)) is not None:
            found.append(terms.about(one["module"], named))
        if one["status_code"] and one["status_code"] != _SUCCESS:
            found.append(terms.outcome(str(one["status_code"])))
        id = f"relay-{one['forwarded_id'] or _place(record, index)}"
        for name in (SENT, ANSWER):
            if (body := one.pop(name, None)) and keeping.bodies:
                filing.bodies.append(Body(id, name, at + keeping.bodies, body.encode()))
        content = orjson.dumps({"relay": one})
        filing.parts.append(Filed(id, Part.MESSAGE, at, at + keeping.exchanges, tuple(dict.fromkeys(found)), content))
    return filing


def _place(record: Record, index: int) -> str:
    return f"{record.partition}-{record.position.epoch}-{record.position.offset}-{index}"


def ending(relay: dict[str, Any]) -> str:
    """How a relay ended, in a word of the outcomes of pushes; `failed`: what came back was no answer."""
    if relay["outcome"] == "answered":
        return "answered"
    return _ENDINGS.get(relay["status_code"], "failed")


def object_of(relay: dict[str, Any]) -> str | None:
    """The id of the object that a relay's URL names, or the name of its command."""
    path = relay["path"]
    if relay["module"] in PUSHED and "-R" in relay["row"]:
        return path[2] if len(path) > 2 else None
    return path[0] if path else None


def _demand(kind: bytes, wanted: str) -> None:
    if kind != wanted.encode():
        raise ValueError(f"type {kind!r} is not {wanted}")
