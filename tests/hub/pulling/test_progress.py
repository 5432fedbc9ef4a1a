"""What is to be done about a list that was read so far, by the clock and what an operator asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.values import PartyId, Role
from hub.pulling import progress
from hub.pulling.progress import (
    BACKOFF_MS,
    DAY_MS,
    OVERLAP_MS,
    STALE_MS,
    Plan,
    Progress,
    Whose,
    begun,
    due,
    owners_of,
    readers,
    whose,
)
from routing.directory import Directory, Party
from routing.store.memory import MemoryStore
from tests.hub.edge.harness import CPO, EMSP, HUB, platform

OWNERS = ("NL-TNM",)
NOW = 10 * DAY_MS
READ = Progress(started=NOW - 1000, owners=OWNERS, covered=OWNERS, pages=3, moved=NOW - 500, ended=NOW - 500, last=5)
HALF = replace(READ, ended=None, covered=(), next="https://cpo.example/locations?offset=100")


def plan(so_far: Progress | None, asked: int | None = None, *, now: int = NOW, daily: bool = False) -> Plan | None:
    return due(so_far, asked, Whose(OWNERS), now, daily=daily)


def test_a_list_that_was_never_read_is_read_whole() -> None:
    assert plan(None) is Plan.WHOLE


def test_a_list_that_was_read_is_left_alone_until_somebody_asks() -> None:
    assert plan(READ) is None
    assert plan(READ, READ.started - 1) is None
    assert plan(READ, READ.started + 1) is Plan.WHOLE
    assert plan(HALF, READ.started + 1) is Plan.WHOLE


def test_a_party_that_came_to_the_platform_later_has_the_list_read_anew() -> None:
    assert due(READ, None, Whose((*OWNERS, "NL-TWO")), NOW, daily=False) is Plan.WHOLE
    assert due(READ, None, Whose(()), NOW, daily=False) is None


def test_a_reading_whose_owners_are_others_now_is_begun_anew() -> None:
    assert due(HALF, None, Whose(("NL-TWO",)), NOW, daily=False) is Plan.WHOLE


def test_who_registers_later_and_may_have_sessions_has_them_read_anew_but_no_reading_is_begun_anew_for_that() -> None:
    sessions = Whose(OWNERS, ("DE-EMS", "DE-NEW"))
    assert due(replace(READ, readers=("DE-EMS",)), None, sessions, NOW, daily=False) is Plan.WHOLE
    assert due(replace(READ, readers=("DE-EMS", "DE-NEW", "DE-OUT")), None, sessions, NOW, daily=False) is None
    assert due(replace(HALF, readers=("DE-EMS",)), None, sessions, NOW, daily=False) is Plan.RESUME


def test_sessions_are_read_for_those_who_issue_tokens_and_lists_for_everybody_for_nobody_in_particular() -> None:
    cpo = platform("cpo", Party(CPO, Role.CPO))
    roles = zip("abcde", (Role.EMSP, Role.OTHER, Role.SCSP, Role.NSP, Role.CPO), strict=True)
    others = [platform(name, Party(PartyId("DE", f"P{name.upper()}"), role)) for name, role in roles]
    directory = Directory([cpo, *others], hub=HUB)
    assert whose(cpo, "sessions", readers(directory)) == Whose((str(CPO),), ("DE-PA", "DE-PB"))
    assert whose(cpo, "locations", readers(directory)) == Whose((str(CPO),))


def test_a_list_that_was_read_in_part_is_read_on_but_not_after_long() -> None:
    assert plan(HALF) is Plan.RESUME
    assert plan(HALF, now=HALF.moved + STALE_MS + 1) is Plan.WHOLE
    assert plan(replace(HALF, pages=0), now=HALF.moved + STALE_MS + 1) is Plan.RESUME


@pytest.mark.parametrize("failures", [1, 2, len(BACKOFF_MS), 99])
def test_after_failures_it_is_tried_again_later_and_later(failures: int) -> None:
    failed = replace(HALF, failures=failures, tried=NOW, moved=NOW)
    wait = BACKOFF_MS[min(failures, len(BACKOFF_MS)) - 1]
    assert plan(failed, now=NOW + wait - 1) is None
    assert plan(failed, now=NOW + wait) is Plan.RESUME
    assert plan(failed, NOW, now=NOW) is Plan.WHOLE, "whoever asks does not wait"


def test_once_a_day_what_changed_is_read_where_that_is_set() -> None:
    tomorrow = READ.started + DAY_MS
    assert plan(READ, now=tomorrow) is None
    assert plan(READ, now=tomorrow - 1, daily=True) is None
    assert plan(READ, now=tomorrow, daily=True) is Plan.DELTA
    delta = begun(replace(READ, last=READ.started), Plan.DELTA, Whose(OWNERS), tomorrow)
    assert delta.since == READ.started - OVERLAP_MS
    assert begun(READ, Plan.WHOLE, Whose(OWNERS), tomorrow).since is None


def test_who_is_suspended_or_removed_is_not_asked() -> None:
    kept, suspended = Party(CPO, Role.CPO), Party(PartyId("NL", "SUS"), Role.CPO, suspended=True)
    gone = Party(PartyId("NL", "OUT"), Role.CPO, removed=True)
    assert owners_of(platform("p", kept, suspended, gone), "locations") == (kept,)


def test_owners_are_the_parties_that_own_what_is_listed_in_order() -> None:
    both = platform("both", Party(EMSP, Role.EMSP), Party(PartyId("NL", "ZZZ"), Role.CPO), Party(CPO, Role.CPO))
    assert [party.id for party in owners_of(both, "locations")] == [CPO, PartyId("NL", "ZZZ")]
    assert [party.id for party in owners_of(both, "tokens")] == [EMSP]
    assert owners_of(platform("none", Party(CPO, Role.CPO), offers=("tariffs",)), "locations") == ()


async def test_it_comes_back_from_the_store_as_it_was() -> None:
    store = MemoryStore()
    await store.start()
    await progress.write(store, "p", "locations", HALF)
    await progress.write(store, "p", "tokens", READ)
    await progress.ask(store, "p", "tokens", 7)
    assert await progress.read(store) == {("p", "locations"): HALF, ("p", "tokens"): READ}
    assert await progress.asked(store) == {("p", "tokens"): 7}
    await progress.forget(store, "p", "tokens")
    assert (list(await progress.read(store)), await progress.asked(store)) == ([("p", "locations")], {})
