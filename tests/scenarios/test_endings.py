"""P1 across endings: kill -9 with accepted broadcasts under way, and SIGTERM with calls in flight."""

from __future__ import annotations

import asyncio
import time

import pytest

from connectors.sample import Fault, NoAnswer, Rule, SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, asked, check, eventually, got, party_of


async def broadcast(cpo: SamplePlatform, body: bodies.Json) -> None:
    """PUT a location to everyone; the hub takes it."""
    answer = await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body)
    check(answer, 200, 1000)


def newest(emsp: SamplePlatform) -> dict[str, str]:
    """The last name of each location that it was sent."""
    return {one.json["id"]: one.json["name"] for one in got(emsp, "locations")}


async def test_p1_accepted_broadcasts_reach_their_recipients_although_the_hub_is_killed_at_once(
    make_hub: MakeHub,
) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            other = await parties.emsp()
            emsp.faults.set(Rule(Fault.HANG, module="locations"))
            locations = [bodies.location(party_of(cpo)) for _ in range(5)]
            for number in range(4):
                for body in locations:
                    await broadcast(cpo, body | {"name": f"state {number}"})
            hub.kill()
            emsp.faults.clear()
            before = emsp.recorder.count
            await hub.start_again()
            wanted = {body["id"]: "state 3" for body in locations}
            for platform in (emsp, other):
                await eventually(lambda platform=platform: newest(platform) == wanted, within=15)  # type: ignore[misc]
            # The newest state may come twice, never an older one after it, and in one request an object.
            after = got(emsp, "locations", after=before)
            assert {one.json["name"] for one in after} == {"state 3"}
            assert len(after) == len(locations)


async def test_p1_and_p2_at_every_kill_what_was_accepted_arrives(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            body = bodies.location(party_of(cpo))
            accepted = -1

            async def load() -> None:
                nonlocal accepted
                for number in range(10_000):
                    try:
                        await broadcast(cpo, body | {"name": f"state {number:05}"})
                    except NoAnswer:
                        return
                    accepted = number

            for _ in range(2):
                accepted = -1
                working = asyncio.create_task(load())
                await eventually(lambda: accepted > 0, within=20)  # noqa: B023
                await asyncio.sleep(0.25)
                hub.kill()
                await working
                await hub.start_again()
                # What was under way when the hub died may have been accepted too, though nobody was told.
                wanted = {f"state {number:05}" for number in (accepted, accepted + 1)}
                await eventually(lambda: newest(emsp).get(body["id"]) in wanted, within=15)  # noqa: B023


async def test_sigterm_answers_what_is_in_flight_and_exits_0(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            other = await parties.cpo()
            for module in ("locations", "tokens"):
                cpo.faults.set(Rule(Fault.SLOW, module=module, delay=0.8))
            token = bodies.token(emsp)
            relay = asyncio.create_task(emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)))
            push = asyncio.create_task(
                emsp.call("PUT", "tokens", RECEIVER, *party_of(emsp), token["uid"], to=party_of(cpo), body=token)
            )
            await eventually(lambda: bool(got(cpo, "locations")) and bool(got(cpo, "tokens")))
            ending = asyncio.create_task(asyncio.to_thread(hub.terminate))
            await _refuses(hub, other)
            check(await relay, 200, 1000)
            check(await push, 201, 1000)
            assert await ending == 0
            assert [event["event"] for event in hub.events("stopped")] == ["stopped"]
            # A clean commit: nothing that was answered is sent again.
            count = cpo.recorder.count
            cpo.faults.clear()
            await hub.start_again()
            await asyncio.sleep(0.3)
            assert asked(cpo, after=count) == []
            check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)


async def _refuses(hub: RunningHub, platform: SamplePlatform) -> None:
    """It takes nothing new meanwhile: no connection, or an answer that it ends."""

    def not_ready() -> bool:
        try:
            return hub.ask("GET", "/readyz")[0] == 503
        except OSError:
            return True

    await eventually(not_ready)
    assert platform._client is not None
    await platform._client.close()
    platform._client = type(platform._client)()  # a client without a connection that it keeps
    with pytest.raises(NoAnswer) as caught:
        await platform.call_url("GET", hub.versions_url, timeout=2)
    assert caught.value.refused


async def test_sigterm_does_not_wait_longer_than_it_was_told(make_hub: MakeHub) -> None:
    with make_hub(drain_seconds=1) as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            cpo.faults.set(Rule(Fault.HANG))
            hanging = asyncio.create_task(emsp.call("GET", "locations", SENDER, to=party_of(cpo)))
            await eventually(lambda: bool(got(cpo, "locations")))
            began = time.monotonic()
            assert await asyncio.to_thread(hub.terminate) == 0
            assert time.monotonic() - began < 6
            await asyncio.gather(hanging, return_exceptions=True)


async def test_registrations_credentials_and_urls_outlive_a_kill(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.cpo(page_limit=10), await parties.emsp()
            url = (await emsp.call("GET", "locations", SENDER, to=party_of(cpo))).next_url
            assert url is not None
            hub.kill()
            await hub.start_again()
            check(await emsp.call_url("GET", url), 200, 1000)
            check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)


@pytest.mark.parametrize("backing", ["embedded"], indirect=True)  # Kafka and MongoDB take any number of them
async def test_a_second_hub_on_the_same_data_or_port_says_so_in_a_sentence(make_hub: MakeHub) -> None:
    hub = make_hub().start()
    code, _, err = await hub.cli("serve")
    assert code == 1 and "in use by another process" in err and "Traceback" not in err, err
    code, _, err = await hub.cli("serve", data=str(hub.folder / "other"))
    assert code == 1 and f"{hub.port}" in err and "HUB_PORT" in err and "Traceback" not in err, err
