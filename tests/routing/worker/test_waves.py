"""What a recipient refuses of a wave is that part alone: of the others it was not asked yet (P1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from multidict import CIMultiDict

from routing.event import Operation
from routing.outbound import Answered
from routing.worker.ports import Push
from tests.sim.stories import STAMP, location, one, tell
from tests.sim.test_outcomes import told
from tests.sim.test_resync import come_back, go_away, until_marked
from tests.sim.world import EMSPS, World

STRICT = EMSPS[2]
"""The only party of its platform."""
PARTS: tuple[tuple[str, ...], ...] = (("1",), ("2",), ())


class Refused:
    """STRICT says no to updates below these EVSEs, and to nothing else; `asked` are those that reached it."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch, code: int, *evses: str) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._world = world
        self._code = code
        self._evses = evses
        self._push = world.recipients.push
        patch.setattr(world.recipients, "push", self.push)

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        away = not self._world.recipients.calm and self._world.recipients.all[STRICT].mood != "well"
        if push.to.party.id != STRICT or away:
            return await self._push(push, within=within, permit=permit)
        self.asked.append(push.path[3:])
        if push.path[3:4] and push.path[3] in self._evses:
            return Answered(200, self._code, CIMultiDict(), b"{}", 1.0)
        return await self._push(push, within=within, permit=permit)


def story(made: Callable[[World], Awaitable[None]]) -> World:
    async def begun(world: World) -> None:
        await one(world)
        await made(world)

    return tell(begun)


async def parts(world: World, name: str = "L1") -> None:
    """Three updates of one location that fold into no fewer requests."""
    for below in PARTS:
        seq = world.next_seq()
        body = {"name" if not below else "status": f"s{seq}", "seq": seq, **STAMP}
        assert await world.call("locations", Operation.PATCH, name, body, below=below, seq=seq) == 1000
        await asyncio.sleep(0.05)


async def wave(world: World) -> None:
    """The three go together: STRICT is busy until they stand in one wave."""
    go_away(world, "busy")
    await parts(world)
    await asyncio.sleep(0.2)
    come_back(world)
    await asyncio.sleep(30)


@pytest.mark.parametrize(("code", "whole"), [(2001, True), (2001, False), (2003, False)])
def test_p1_what_stands_in_a_wave_with_a_part_that_is_refused_is_sent_all_the_same(
    monkeypatch: pytest.MonkeyPatch, code: int, whole: bool
) -> None:
    async def made(world: World) -> None:
        if whole:
            assert await location(world) == 1000
            await asyncio.sleep(2)
        strict = Refused(world, monkeypatch, code, "1")
        await wave(world)
        assert strict.asked == list(PARTS)
        holds = world.recipients.all[STRICT].objects["locations", "L1"]
        assert holds["name"] == f"s{world.next_seq() - 1}"
        assert [evse["uid"] for evse in holds["evses"]] == ["2"]

    story(made)


def test_each_part_is_told_as_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def made(world: World) -> None:
        Refused(world, monkeypatch, 2001, "1")
        await wave(world)

    assert told(STRICT, story(made)) == [("refused", "2001"), ("superseded", ""), ("delivered", "")]


def test_where_all_of_a_wave_is_refused_all_of_it_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def made(world: World) -> None:
        Refused(world, monkeypatch, 2001, "1")
        go_away(world, "busy")
        for below in (("1",), ("1",), ("1", "1")):
            body = {"status": "s", "seq": world.next_seq(), **STAMP}
            assert await world.call("locations", Operation.PATCH, "L1", body, below=below) == 1000
            await asyncio.sleep(0.05)
        come_back(world)
        await asyncio.sleep(30)

    assert told(STRICT, story(made)) == [("refused", "2001")] * 3


def test_p1_a_resync_in_parts_goes_on_after_one_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def made(world: World) -> None:
        strict = Refused(world, monkeypatch, 2001, "1")
        go_away(world)
        await parts(world)
        await until_marked(world)
        come_back(world)
        await asyncio.sleep(40)
        assert world.storing.data.marks == {}
        assert sorted(strict.asked) == sorted(PARTS), "each once"
        assert world.recipients.all[STRICT].objects["locations", "L1"]["name"] == f"s{world.next_seq() - 1}"

    story(made)
