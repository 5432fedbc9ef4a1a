"""What the operator API tells of parties, from records alone."""

from __future__ import annotations

from dataclasses import replace

from connectors.values import PartyId, Role
from hub.onboarding import records
from hub.operator import views
from hub.pulling.progress import Progress
from routing.custody import Held
from routing.directory import Party, Platform
from routing.store.port import CustodyCount

TNM = PartyId("NL", "TNM")


def platform(id: str, *, updated: int, removed: bool = False) -> Platform:
    made = records.invited(id, [(TNM, Role.CPO)], b"digest", now=updated, expires=updated + 1)
    made = replace(made, parties=(Party(TNM, Role.CPO),))
    return records.removed(made, now=updated) if removed else made


def test_a_party_that_came_back_is_listed_once() -> None:
    gone = platform("id-1", updated=1, removed=True)
    again = platform("id-2", updated=2, removed=True)
    now = platform("id-3", updated=3)
    assert [row["platform"] for row in views.rows([gone, again, now])] == ["id-3"]
    assert [row["platform"] for row in views.rows([gone, again])] == ["id-2"], "removed, it stays listed"
    assert [row["platform"] for row in views.rows([now, gone, again], "id-1")] == ["id-1"]


def test_a_list_that_was_asked_for_is_waiting_until_its_reading_begins() -> None:
    one = platform("id-1", updated=1)
    pulls = {("id-1", "locations"): Progress(started=5, ended=7), ("id-1", "tariffs"): Progress(started=5, ended=7)}
    asked = {("id-1", "locations"): 6, ("id-1", "cdrs"): 6, ("id-2", "cdrs"): 6}
    told = views.shown(TNM, [one], [], {}, pulls, asked, delivery=[], resyncs=[], custody=[])
    assert told is not None
    assert [(row["module"], row["state"]) for row in told["pulls"]] == [
        ("cdrs", "waiting"), ("locations", "waiting"), ("tariffs", "read"),
    ]  # fmt: skip


def test_what_the_hub_holds_for_a_party_is_told_together_and_of_no_other() -> None:
    def count(held: Held, partition: int, count: int, oldest: int, *, of: PartyId = TNM) -> CustodyCount:
        return CustodyCount(of, held, partition, count, oldest)

    counts = [
        count(Held.PARKED, 1, 1, 5000), count(Held.WAITING, 1, 2, 3000), count(Held.WAITING, 2, 3, 2000),
        count(Held.WAITING, 2, 9, 1000, of=PartyId("FR", "OTH")),
    ]  # fmt: skip
    one = platform("id-1", updated=1)
    told = views.shown(TNM, [one], [], {}, {}, {}, delivery=[], resyncs=[], custody=counts)
    assert told is not None
    assert [(row["held"], row["count"], row["oldest"]) for row in told["custody"]] == [
        ("waiting", 5, "1970-01-01T00:00:02.000Z"), ("parked", 1, "1970-01-01T00:00:05.000Z"),
    ]  # fmt: skip
