"""Envelopes of `.v1` as they were once written: every later release reads them, and adds fields but changes none.

envelopes/v1.json is frozen: never edit it, not even to make a test pass. What a release adds to an envelope has a
default in its reader, and the records here do not have it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.values import PartyId, Role
from routing import event as events
from routing.log.port import Position, Record, ReplyTo
from routing.policy import Outcome
from routing.worker import outcomes
from routing.worker.tracker import Entry
from tests.routing.frozen import FROZEN, PUSHES, Kept, event, now


def holds(frozen: object, now: object) -> bool:
    """Whether `now` says all that `frozen` said, with more fields at most."""
    if isinstance(frozen, dict) and isinstance(now, dict):
        return all(key in now and holds(frozen[key], now[key]) for key in frozen)
    if isinstance(frozen, list) and isinstance(now, list):
        return len(frozen) <= len(now) and all(map(holds, frozen, now))
    return type(frozen) is type(now) and frozen == now


def said(record: Kept) -> dict[str, Any]:
    """All that a record says, its JSON read; the ids of exchanges are made anew each time."""
    headers: dict[str, Any] = dict(record.headers)
    if "ce_ocpihub" in headers:
        headers["ce_ocpihub"] = json.loads(headers["ce_ocpihub"])
    if record.topic == "ocpi.exchanges":
        del headers["ce_id"]
    value = record.value if "ce_ocpihub" in headers else json.loads(record.value)
    return {"topic": record.topic, "key": record.key, "headers": headers, "value": value}


@pytest.mark.parametrize("name", FROZEN)
def test_a_frozen_record_is_written_today_with_all_it_had(name: str) -> None:
    assert holds(said(FROZEN[name]), said(now()[name]))


def test_what_is_changed_or_missing_is_found() -> None:
    before = said(FROZEN["directed"])
    changed = json.loads(json.dumps(before))
    changed["headers"]["ce_ocpihub"]["revision"] = "7"
    assert not holds(before, changed)
    del changed["headers"]["ce_ocpihub"]["revision"]
    assert not holds(before, changed)
    assert holds(before, {**before, "added": 1})


@pytest.mark.parametrize("name", PUSHES)
def test_fields_of_a_later_release_do_not_disturb(name: str) -> None:
    headers = {**FROZEN[name].headers, "ce_later": "x"}
    headers["ce_ocpihub"] = json.dumps({**json.loads(headers["ce_ocpihub"]), "later": [1]})
    later = FROZEN[name]._replace(headers=headers)
    assert events.decode(later.raw, later.value.encode()) == event(name)


def test_a_frozen_broadcast_means_what_it_meant() -> None:
    one = event("broadcast")
    assert (one.topic, one.operation, one.object_id) == ("ocpi.locations", events.Operation.PUT, "Loc1")
    assert (one.audience, one.deadline, one.reply_to, one.appends, one.findings) == (None, None, None, False, ())


def test_a_frozen_directed_push_means_what_it_meant() -> None:
    one = event("directed")
    assert replace(one, payload=b"") == events.Event(
        id="01a20880-03dc-7439-a0f2-a7573367817b", module="sessions", owner=PartyId("NL", "TNM"), object_id="S/1 a",
        operation=events.Operation.PATCH, path=("NL", "TNM", "S/1 a"), query="x=1", audience=PartyId("DE", "EMS"),
        sender=PartyId("NL", "TNM"), sender_role=Role.CPO, platform="01a20880-03e2-7324-abc0-2f15b6686042",
        accepted=1_790_000_000_000, expires=1_790_000_003_000, deadline=1_790_000_015_000, request_id="r-2",
        correlation_id="c-2", revision=7, reply_to=ReplyTo("edge-4711", 3), appends=True, version="2.2.1",
        findings=("$.last_updated: no zone", "$.x: unknown field"), last_updated="2026-09-21T14:13:20", payload=b"",
    )  # fmt: skip
    assert b'"kwh":1.10,' in one.payload


@pytest.mark.parametrize("name", FROZEN)
def test_headers_are_those_of_cloudevents(name: str) -> None:
    found = now()[name].headers
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type"} <= set(found)
    assert found["ce_specversion"] == "1.0"
    assert found["ce_id"]
    attributes = {header.removeprefix("ce_") for header in found} - {"content-type"}
    assert all(attribute.isascii() and attribute.isalnum() and attribute.islower() for attribute in attributes)
    assert ("content-type" in found) == bool(now()[name].value)


def test_no_two_records_share_source_and_id() -> None:
    ids = [(one.headers["ce_source"], one.headers["ce_id"]) for one in now().values()]
    assert len(set(ids)) == len(ids)


def test_what_was_no_event_has_an_outcome_with_an_id_too() -> None:
    entry = Entry(Record("ocpi.cdrs", 5, Position(9, 41), 0, b"", (), b""), None, 0.0)
    entry.results.append((None, Outcome.POISON, "bytes", 0))
    _, headers, _ = outcomes.record(entry)
    assert dict(headers)["ce_id"] == b"ocpi.cdrs/5/9/41"
