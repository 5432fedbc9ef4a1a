"""A record that cannot be handled is set aside with its reason, and nobody waits for it."""

from __future__ import annotations

import asyncio

import pytest

from connectors.values import PartyId
from routing import event as events
from routing.event import Event
from routing.log.port import Headers
from routing.resolving import DirectoryResolver
from routing.worker import outcomes
from routing.worker.tracker import Entry
from tests.sim.recipients import Recipients
from tests.sim.stories import aside, cdr, committed, location, one, seen, session, store_away, tell
from tests.sim.world import CPO, EMSPS, World

JUNK: dict[str, tuple[Headers, str]] = {
    "no event at all": ((), "type None is not org.ocpi-hub.push.v1"),
    "a type to come": ((("ce_type", b"org.ocpi-hub.push.v2"),), "org.ocpi-hub.push.v2"),
    "no envelope": ((("ce_type", events.TYPE.encode()), ("ce_ocpihub", b"{")), "the envelope cannot be read"),
}


async def junk(world: World, headers: Headers, topic: str = "ocpi.locations", name: str = "L1") -> None:
    key = f"{CPO.country_code}*{CPO.party_id}/{topic.removeprefix('ocpi.')}/{name}".encode()
    await world.log.publish(topic, key, headers, b"\xff\x00 junk", within=1)


@pytest.mark.parametrize("kind", JUNK)
@pytest.mark.parametrize("topic", ["ocpi.locations", "ocpi.sessions", "ocpi.cdrs"])
def test_what_is_no_event_is_set_aside_with_its_offset_and_the_next_one_goes_on(kind: str, topic: str) -> None:
    headers, reason = JUNK[kind]

    async def story(world: World) -> None:
        await one(world)
        await junk(world, headers, topic, {"ocpi.locations": "L1", "ocpi.sessions": "S1", "ocpi.cdrs": "C1"}[topic])
        began = world.loop.now
        calls = {"ocpi.locations": location, "ocpi.sessions": session, "ocpi.cdrs": cdr}
        assert await calls[topic](world) == 1000
        while not seen(world, EMSPS[0], topic.removeprefix("ocpi.")):
            await asyncio.sleep(0.01)
        assert world.loop.now - began < 1
        await asyncio.sleep(1)
        (record,) = aside(world)
        assert (record.tp.topic, record.position.offset, record.value) == (topic, 0, b"\xff\x00 junk")
        assert reason in record.reason
        assert record.headers == headers
        assert (record.append_time, record.at) != (0, 0)
        assert world.uncommitted() == 0

    tell(story)


def test_it_is_set_aside_before_its_offset_is_committed_and_nobody_waits_for_a_store_that_is_away() -> None:
    async def story(world: World) -> None:
        await one(world)
        store_away(world)
        await junk(world, (), "ocpi.sessions", "S1")
        assert await session(world) == 1000
        await asyncio.sleep(20)
        assert (aside(world), committed(world, "ocpi.sessions")) == ([], 0)
        world.storing.come_back()
        await asyncio.sleep(3)
        assert len(aside(world)) == 1
        assert world.uncommitted() == 0

    tell(story)


def test_very_many_are_bounded_too() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        store_away(world)
        for _ in range(2500):
            await junk(world, (), "ocpi.sessions", "S1")
        await asyncio.sleep(5)
        assert len(process.worker.aside._queue) <= 1000
        world.storing.come_back()
        await asyncio.sleep(60)
        assert len(aside(world)) == 2500
        assert world.uncommitted() == 0

    tell(story)


# --- an event whose handler raises -----------------------------------------------------------------------------------


class Broken(Exception):
    """A defect."""


def breaks(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, *, on: str, argument: int = 1) -> list[object]:
    """Let a method raise for the event (or push) of this object; the calls that it broke."""
    whole, broken = getattr(owner, name), list[object]()

    def breaking(*args: object, **more: object) -> object:
        said = args[argument]
        if on in (getattr(said, "object_id", ""), *getattr(said, "path", ())):
            broken.append(said)
            raise Broken(name)
        return whole(*args, **more)

    monkeypatch.setattr(owner, name, breaking)
    return broken


def test_a_broadcast_that_cannot_be_fanned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, DirectoryResolver, "broadcast", on="BAD")

    async def story(world: World) -> None:
        await one(world)
        assert await location(world, "BAD") == 1000
        assert await location(world, "L1") == 1000
        await asyncio.sleep(1)
        (record,) = aside(world)
        assert "Broken: broadcast" in record.reason
        assert b'"seq": 1' in record.value
        assert seen(world, EMSPS[0], "locations") == [2]
        assert world.uncommitted() == 0

    tell(story)


def test_a_broadcast_that_breaks_half_way_reaches_who_has_it_and_the_rest_ends_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Recipients.push

    async def push(self: Recipients, push: object, **more: object) -> object:
        if push.to.party.id == EMSPS[1] and "BAD" in push.path:  # type: ignore[attr-defined]
            raise Broken("sending")
        return await whole(self, push, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Recipients, "push", push)

    async def story(world: World) -> None:
        await one(world)
        assert await location(world, "BAD") == 1000
        assert await location(world, "L1") == 1000
        await asyncio.sleep(1)
        (record,) = aside(world)
        assert f"for {EMSPS[1]}" in record.reason
        assert b'"seq": 1' in record.value  # read from the log again
        assert [sorted(seen(world, party, "locations")) for party in EMSPS] == [[1, 2], [2], [1, 2]]
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize(("owner", "name"), [(DirectoryResolver, "directed"), (Recipients, "push")])
def test_a_directed_push_whose_handling_breaks_is_4002(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    breaks(monkeypatch, owner, name, on="BAD")

    async def story(world: World) -> None:
        await one(world)
        assert await session(world, "BAD") == 4002
        assert await session(world, "S1") == 1000
        await asyncio.sleep(1)
        assert len(aside(world)) == 1
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("directed", [False, True])
def test_a_state_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, directed: bool) -> None:
    module = "routing.worker.aftermath" if directed else "routing.worker.gathering"
    whole = __import__(module, fromlist=["after"]).after

    def after(before: object, event: Event, *args: object, **more: object) -> object:
        if event.object_id == "BAD":
            raise Broken("after")
        return whole(before, event, *args, **more)

    monkeypatch.setattr(f"{module}.after", after)

    async def story(world: World) -> None:
        await one(world)
        to: PartyId | None = EMSPS[0] if directed else None
        assert await location(world, "BAD", to=to) == 1000
        assert await location(world, "L1", to=to) == 1000
        await asyncio.sleep(2)
        assert len(aside(world)) == 1
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("directed", [False, True])
def test_a_state_that_the_store_will_never_take(monkeypatch: pytest.MonkeyPatch, directed: bool) -> None:
    from tests.sim.storing import SimulatedStore

    whole = SimulatedStore.write_states

    async def write_states(self: SimulatedStore, states: list[object]) -> None:
        if any(state.key.object_id == "BAD" for state in states):  # type: ignore[attr-defined]
            raise Broken("too large")
        await whole(self, states)  # type: ignore[arg-type]

    monkeypatch.setattr(SimulatedStore, "write_states", write_states)

    async def story(world: World) -> None:
        await one(world)
        to = EMSPS[0] if directed else None
        told = await asyncio.gather(*(location(world, name, to=to) for name in ("BAD", "L1", "L2")))
        assert told == [1000] * 3
        await asyncio.sleep(2)
        assert len(aside(world)) == 1
        assert {key.object_id for key in world.storing.data.states} == {"L1", "L2"}
        assert world.uncommitted() == 0

    tell(story)


def test_an_outcome_that_cannot_be_written_as_it_is_is_written_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Entry.ended

    def ended(self: Entry, party: PartyId, outcome: object, detail: str = "", ms: float = 0.0) -> bool:
        return whole(self, party, outcome, detail + "\udcff" * 900, ms)  # type: ignore[arg-type]

    monkeypatch.setattr(Entry, "ended", ended)
    assert len(outcomes.cut("\udcff" * 900)) == 500

    async def story(world: World) -> None:
        await one(world)
        assert await location(world) == 1000
        await asyncio.sleep(2)
        assert world.uncommitted() == 0

    tell(story)


def test_no_defect_of_one_event_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in (
        (DirectoryResolver, "broadcast"),
        (DirectoryResolver, "directed"),
        (DirectoryResolver, "still"),
    ):
        breaks(monkeypatch, owner, name, on="BAD")

    async def story(world: World) -> None:
        process = await one(world)
        for _ in range(20):
            await location(world, "BAD")
            await session(world, "BAD")
            await junk(world, ())
        assert await session(world) == 1000
        await asyncio.sleep(3)
        assert process.worker.failure is None
        assert all(not task.done() for task in process.worker._tasks)
        assert len(aside(world)) == 60
        assert world.uncommitted() == 0

    tell(story)
