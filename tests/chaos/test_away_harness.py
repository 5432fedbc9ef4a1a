"""The harness of recipients that are away: what its platforms do to a hub, what its load changes, what it measures."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import cast

import pytest

from connectors.values import PartyId
from routing.log.port import Position, TopicPartition
from routing.store.embedded import EmbeddedStore
from routing.store.port import Mark
from tests.chaos import bodies, ledger, plans
from tests.chaos.away_load import Changes
from tests.chaos.bodies import CPO
from tests.chaos.calling import CUT, Answer, Caller, HubDown
from tests.chaos.hub import HubProcess
from tests.chaos.memory import MOST_MORE, Memory
from tests.chaos.moods import Mood, Moody
from tests.switches import AWAY_SWITCHES


async def push(moody: Moody, seq: int) -> int:
    """A broadcast of a location as the hub would send it; what became of it."""
    body = bodies.dump(bodies.location("L1", seq))
    caller = Caller(moody.platform.port, "credential")
    path, hub = "locations/NL/TNM/L1", PartyId("NL", "HUB")
    answer = await caller.call("PUT", path, body, seq=seq, sender=hub, to=moody.emsp)
    return answer.code


async def test_what_was_reset_in_the_middle_of_an_answer_was_taken() -> None:
    moody = Moody(Mood.TORN, Random(1))
    await moody.platform.open()
    assert await push(moody, 1) == 1000
    moody.go()
    assert await push(moody, 2) == CUT
    assert moody.platform.recipients[moody.emsp].objects["locations", "L1"]["seq"] == 2
    await moody.come_back()
    assert await push(moody, 3) == 1000
    moody.close()


async def test_who_hangs_answers_nothing_until_it_is_back_and_took_nothing() -> None:
    moody = Moody(Mood.HUNG, Random(2))
    await moody.platform.open()
    moody.go()
    hanging = asyncio.create_task(push(moody, 1))
    recipient = moody.platform.recipients[moody.emsp]
    while not recipient.begun:
        await asyncio.sleep(0)
    await moody.come_back()
    assert await push(moody, 2) == 1000
    assert not hanging.done()
    hanging.cancel()
    assert [begun.processed for begun in recipient.begun] == [False, True]
    moody.close()


async def test_who_is_away_cuts_its_connections_and_is_back_at_the_same_place() -> None:
    moody = Moody(Mood.AWAY, Random(3))
    await moody.platform.open()
    port = moody.platform.port
    assert await push(moody, 1) == 1000
    moody.go()
    await asyncio.sleep(0)
    assert not moody.platform.connections
    with pytest.raises(HubDown):
        await push(moody, 2)
    await moody.come_back()
    assert moody.platform.port == port
    assert await push(moody, 3) == 1000
    moody.close()


async def test_every_object_changes_once_a_round_and_what_ends_deleted_is_known() -> None:
    told: list[tuple[str, str]] = []

    class Told:
        async def call(
            self, method: str, path: str, body: bytes, *, seq: int, sender: PartyId, to: PartyId | None
        ) -> Answer:
            await asyncio.sleep(0)
            told.append((method, path.partition("?")[0].split("/")[3]))
            return Answer(1000)

    emsp = PartyId("FR", "WLE")
    load = Changes(dict.fromkeys((CPO, emsp), cast(Caller, Told())), emsp, Random(4), 100)
    await load.first()
    assert Counter(method for method, _ in told) == {"PUT": 100}
    told.clear()
    await load.change(3, 0.0)
    assert set(Counter(name for _, name in told).values()) == {3}
    last = {name: method for method, name in told}
    assert load.deleted == {("tariffs", name) for name, method in last.items() if method == "DELETE"}
    assert load.deleted and load.updates == 300
    assert sorted(load.newest) == sorted(load.changed)


async def test_memory_that_grows_while_parties_hang_is_said() -> None:
    class Growing:
        name = "hub"
        now = 100.0

        def rss(self) -> float:
            self.now += 1
            return self.now

    process = Growing()
    memory = Memory()
    memory.begin([cast(HubProcess, process)])
    await asyncio.sleep(0)
    assert await memory.end() == []
    memory.begin([cast(HubProcess, process)])
    process.now += MOST_MORE + 1
    await asyncio.sleep(0)
    (said,) = await memory.end()
    assert "MiB before" in said


async def test_marks_are_counted_beside_a_hub_that_runs(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    for partition in (1, 2):
        await store.save_mark(Mark("one", TopicPartition("ocpi.tariffs", partition), Position(1, 3), 0, "away"))
    assert ledger.marked(tmp_path) == {"one": 2}
    await store.close()


def test_the_long_form_lasts_minutes_and_every_switch_has_a_run() -> None:
    (short,), (long,) = plans.away(long=False), plans.away(long=True)
    assert short.away is not None and long.away is not None
    assert short.away.objects * short.away.rounds == 10_000
    assert long.away.seconds >= 120
    assert [plans.broken_away(name).switch for name in AWAY_SWITCHES] == list(AWAY_SWITCHES)
