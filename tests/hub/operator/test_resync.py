"""Everything once more, over the operator's API: counted, then asked for; a no says why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.values import InterfaceRole, PartyId, Role
from hub.onboarding import records
from routing.directory import Endpoint, Party, Platform, PlatformSettings, Status
from routing.event import key
from routing.log.port import Position, partition_of
from routing.state import ObjectState, StateKey
from tests.hub.operator.operating import Operating, operating

CPO, EMSP = PartyId("NL", "TNM"), PartyId("DE", "EMS")
PATH = "/api/parties/DE/EMS/resync"


@pytest.fixture
async def operator() -> AsyncIterator[Operating]:
    async with operating() as made:
        yield made


def hosting(id: str, party: PartyId, role: Role, *modules: str) -> Platform:
    made = records.invited(id, [(party, role)], id.encode(), now=1, expires=2)
    endpoints = tuple(Endpoint(module, InterfaceRole.RECEIVER, f"https://{id}.example/{module}") for module in modules)
    return replace(
        made, status=Status.CONNECTED, version="2.2.1", parties=(Party(party, role),), endpoints=endpoints, invited=()
    )


async def known(operator: Operating, *, objects: int = 5, **changes: object) -> None:
    platforms = hosting("cpo", CPO, Role.CPO), hosting("emsp", EMSP, Role.EMSP, "locations", "tariffs")
    for platform in (platforms[0], replace(platforms[1], **changes)):  # type: ignore[arg-type]
        await operator.hub.store.save_platform(platform)
    await operator.hub.registry.refresh()
    states = [
        ObjectState(StateKey(CPO, "locations", f"L{n}", "", None), Position(1, n), "2.2.1", body=b"{}")
        for n in range(objects)
    ]
    await operator.hub.store.write_states(states)


async def test_a_dry_run_counts_and_asks_for_nothing(operator: Operating) -> None:
    await known(operator)
    status, told = await operator.call("POST", PATH, {"dry_run": True})
    assert status == 200 and told["dry_run"] is True
    assert [(row["module"], row["state"], row["objects"]) for row in told["resyncs"]] == [
        ("locations", "counted", 5), ("tariffs", "counted", 0),
    ]  # fmt: skip
    assert not await operator.hub.store.load_marks()
    _, shown = await operator.call("GET", "/api/parties/DE/EMS")
    assert shown["resyncs"] == []


async def test_asked_for_it_is_shown_and_a_mark_stands_in_each_partition_that_has_anything(operator: Operating) -> None:
    await known(operator)
    status, told = await operator.call("POST", PATH, {"modules": ["locations"]})
    (row,) = told["resyncs"]
    assert (status, row["state"], row["objects"], row["done"]) == (200, "running", 5, 0)
    marks = await operator.hub.store.load_marks()
    partitions = {partition_of(key(CPO, "locations", f"L{n}"), operator.log.partitions) for n in range(5)}
    assert {(mark.platform, mark.tp.partition, mark.party, mark.position) for mark in marks} == {
        ("emsp", partition, EMSP, Position(0, 0)) for partition in partitions
    }
    _, shown = await operator.call("GET", "/api/parties/DE/EMS")
    assert shown["resyncs"] == [row]
    assert {mark["party"] for mark in shown["platforms"][0]["marks"]} == {"DE-EMS"}
    await operator.call("POST", PATH, {"modules": ["locations"]})
    again = await operator.hub.store.load_marks()
    assert len(again) == len(marks) and min(m.revision for m in again) > max(m.revision for m in marks)


async def test_who_is_away_is_waited_for(operator: Operating) -> None:
    await known(operator, status=Status.OFFLINE)
    _, told = await operator.call("POST", PATH, {"modules": ["locations"]})
    assert told["resyncs"][0]["state"] == "waiting"


async def test_since_a_moment_that_the_log_knows_nothing_changed(operator: Operating) -> None:
    await known(operator)
    _, told = await operator.call("POST", PATH, {"dry_run": True, "since": "2020-01-01T00:00:00Z"})
    assert told["resyncs"][0]["objects"] == 5, "the log does not reach back so far: everything"
    assert told["resyncs"][0]["since"] == "2020-01-01T00:00:00.000Z"
    status, told = await operator.call("POST", PATH, {"since": "yesterday"})
    assert (status, "yesterday" in told["error"]) == (400, True)


async def test_a_no_says_what_to_mend(operator: Operating) -> None:
    assert (await operator.call("POST", PATH, {}))[0] == 404
    await known(operator)
    status, told = await operator.call("POST", PATH, {"modules": ["tokens"]})
    assert (status, "takes no tokens" in told["error"]) == (409, True)
    assert (await operator.call("POST", PATH, {"modules": ["cdrs"]}))[0] == 400


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"settings": PlatformSettings(resync=False)}, "--resync"),
        ({"parties": (Party(EMSP, Role.EMSP, suspended=True),)}, "suspended"),
    ],
)
async def test_what_would_end_as_skipped_is_refused(operator: Operating, changes: dict[str, Any], word: str) -> None:
    await known(operator, **changes)
    status, told = await operator.call("POST", PATH, {})
    assert (status, word in told["error"]) == (409, True), told
