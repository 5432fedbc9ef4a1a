"""Envelopes of `.v1` as they were once written: every later release reads them, and adds fields but changes none.

envelopes/v1.json is frozen: never edit it, not even to make a test pass. What a release adds to an envelope has a
default in its reader, and the records here do not have it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.values import PartyId, Role
from routing import event as events
from routing import exchanges
from routing.exchanges import Exchange
from routing.log.port import Headers, Position, Record, ReplyTo
from routing.policy import Outcome
from routing.worker import outcomes
from routing.worker.tracker import Entry

FROZEN: dict[str, Any] = {
    one["name"]: one for one in json.loads((Path(__file__).parent / "envelopes" / "v1.json").read_text("utf-8"))
}
PUSHES = ("broadcast", "directed", "delete", "token")


def headers(name: str) -> Headers:
    return tuple((header, value.encode()) for header, value in FROZEN[name]["headers"].items())


def value(name: str) -> bytes:
    return str(FROZEN[name]["value"]).encode()


def holds(frozen: object, now: object) -> bool:
    """Whether `now` says all that `frozen` said, with more fields at most."""
    if isinstance(frozen, dict) and isinstance(now, dict):
        return all(key in now and holds(frozen[key], now[key]) for key in frozen)
    if isinstance(frozen, list) and isinstance(now, list):
        return len(frozen) == len(now) and all(map(holds, frozen, now))
    return type(frozen) is type(now) and frozen == now


@pytest.mark.parametrize("name", PUSHES)
def test_a_frozen_push_is_read_and_written_again_with_all_it_had(name: str) -> None:
    event = events.decode(headers(name), value(name))
    now, frozen = dict(events.encode(event)), dict(headers(name))
    assert holds(json.loads(frozen.pop("ce_ocpihub")), json.loads(now["ce_ocpihub"]))
    assert now.items() >= frozen.items()
    assert (event.topic, event.key, event.payload) == (FROZEN[name]["topic"], FROZEN[name]["key"].encode(), value(name))


@pytest.mark.parametrize("name", PUSHES)
def test_fields_of_a_later_release_do_not_disturb(name: str) -> None:
    later = dict(headers(name))
    later["ce_ocpihub"] = json.dumps({**json.loads(later["ce_ocpihub"]), "later": [1]}).encode()
    later["ce_later"] = b"x"
    assert events.decode(tuple(later.items()), value(name)) == events.decode(headers(name), value(name))


def test_a_frozen_directed_push_means_what_it_meant() -> None:
    event = events.decode(headers("directed"), value("directed"))
    assert (event.owner, event.module, event.object_id, event.path) == (
        PartyId("NL", "TNM"), "sessions", "S/1 a", ("NL", "TNM", "S/1 a"),
    )  # fmt: skip
    assert (event.audience, event.sender, event.sender_role) == (PartyId("DE", "EMS"), PartyId("NL", "TNM"), Role.CPO)
    assert (event.expires, event.deadline, event.reply_to) == (
        1_790_000_003_000, 1_790_000_015_000, ReplyTo("edge-4711", 3),
    )  # fmt: skip
    assert (event.appends, event.revision, event.version) == (True, 7, "2.2.1")
    assert event.findings == ("$.last_updated: no zone", "$.x: unknown field")


def test_an_outcome_is_written_with_all_it_had() -> None:
    event, at = events.decode(headers("broadcast"), value("broadcast")), Position(1_790_000_000_000, 41)
    entry = Entry(Record(event.topic, 5, at, 0, event.key, (), b""), event, 0.0)
    for party in ("EMS", "AAA", "BBB"):
        entry.opened(PartyId("DE", party), "platform")
    entry.ended(PartyId("DE", "EMS"), Outcome.DELIVERED, "", 12)
    entry.ended(PartyId("DE", "AAA"), Outcome.SUPERSEDED)
    entry.ended(PartyId("DE", "BBB"), Outcome.REFUSED, "2001", 8)
    key, now, body = outcomes.record(entry)
    assert key == FROZEN["outcome"]["key"].encode()
    assert dict(now).items() >= dict(headers("outcome")).items()
    assert holds(json.loads(value("outcome")), json.loads(body))


def test_exchanges_are_written_with_all_they_had() -> None:
    (frozen,) = json.loads(value("exchanges"))
    given = {**frozen, "path": tuple(frozen["path"])}
    given |= {party: PartyId.parse(frozen[party]) for party in ("sender", "recipient")}
    now, body = exchanges.encode([Exchange(**given)])
    assert {**dict(headers("exchanges")), "ce_id": dict(now)["ce_id"]}.items() <= dict(now).items()
    assert holds([frozen], json.loads(body))


@pytest.mark.parametrize("name", FROZEN)
def test_headers_are_those_of_cloudevents(name: str) -> None:
    found = FROZEN[name]["headers"]
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type"} <= set(found)
    assert found["ce_specversion"] == "1.0"
    assert found["ce_id"]
    attributes = {header.removeprefix("ce_") for header in found} - {"content-type"}
    assert all(attribute.isascii() and attribute.isalnum() and attribute.islower() for attribute in attributes)
    assert ("content-type" in found) == bool(FROZEN[name]["value"])


def test_no_two_records_share_source_and_id() -> None:
    ids = [(one["headers"]["ce_source"], one["headers"]["ce_id"]) for one in FROZEN.values()]
    assert len(set(ids)) == len(ids)


def test_what_was_no_event_has_an_outcome_with_an_id_too() -> None:
    entry = Entry(Record("ocpi.cdrs", 5, Position(9, 41), 0, b"", (), b""), None, 0.0)
    entry.results.append((None, Outcome.POISON, "bytes", 0))
    _, now, _ = outcomes.record(entry)
    assert dict(now)["ce_id"] == b"ocpi.cdrs/5/9/41"
