"""Any edge answers for any platform: three edges and two workers on a real Kafka and a real MongoDB, in turns."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from secrets import token_urlsafe

import pytest

from connectors.sample import SampleParty, SamplePlatform, sample_cpo, sample_emsp
from connectors.values import Role
from hub.sealed import STORED_REF
from tests.engines.plugin import Engines
from tests.scenarios import bodies
from tests.scenarios.backing import OnEngines
from tests.scenarios.many import Guests, Many
from tests.scenarios.parties import HUB, RECEIVER, SENDER, check, eventually, got, new_party, party_of
from tests.scenarios.vault import Vault

EDGES, WORKERS = 3, 2


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, vault: Vault, engines: Engines) -> Iterator[Many]:
    """The processes, shared by the tests of this file."""
    hub = Many(tmp_path_factory.mktemp("many"), vault, OnEngines(engines.kafka(), engines.mongo()))
    for number in range(EDGES):
        hub.add(f"edge-{number}", "edge")
    for number in range(WORKERS):
        hub.add(f"worker-{number}", "worker")
    try:
        asyncio.run(hub.start())
        yield hub
    finally:
        hub.close()


@pytest.fixture
async def guests(many: Many) -> AsyncIterator[Guests]:
    async with many.balancer(*many.processes[:EDGES]), Guests(many) as made:
        yield made


async def test_registered_on_one_edge_and_known_on_all_a_hundred_times(guests: Guests) -> None:
    emsp = await guests.emsp()
    known = party_of(emsp)

    async def register_and_call(number: int) -> None:
        platform = await guests.start(SamplePlatform([SampleParty(new_party(), Role.CPO)]))
        invitation = await guests.hub.invite((party_of(platform), Role.CPO))
        await platform.register(invitation.versions_url, invitation.token)
        # the first calls, each on an edge of its own: nobody is told 401, and each knows the others
        calls = [platform.call("GET", "tokens", SENDER, to=known) for _ in range(EDGES)]
        for answer in await asyncio.gather(*calls):
            check(answer, 200, 1000)
        back = await emsp.call("GET", "locations", SENDER, to=party_of(platform))
        check(back, 200, 1000)
        if number % 10 == 0:
            await platform.rotate()
            check(await platform.call("GET", "tokens", SENDER, to=known), 200, 1000)

    for batch in range(0, 100, 5):
        await asyncio.gather(*(register_and_call(number) for number in range(batch, batch + 5)))


async def test_pages_locations_and_results_come_back_through_whichever_edge(guests: Guests) -> None:
    cpo, emsp = await guests.join(sample_cpo(new_party(), page_limit=10)), await guests.emsp()
    for _ in range(EDGES):
        page = await emsp.call("GET", "locations", SENDER, to=party_of(cpo))
        seen = len(page.data)
        while page.next_url is not None:
            page = await emsp.call_url("GET", page.next_url)
            check(page, 200, 1000)
            seen += len(page.data)
        assert seen == len(cpo.objects.all("locations", party_of(cpo)))
        cdr = bodies.cdr(cpo, emsp)
        posted = await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=cdr)
        check(posted, 201, 1000)
        check(await cpo.call_url("GET", posted.headers["Location"]), 200, 1000)
        after = emsp.recorder.count
        command = bodies.command(cpo, emsp, "UNLOCK_CONNECTOR")
        check(
            await emsp.call("POST", "commands", RECEIVER, "UNLOCK_CONNECTOR", to=party_of(cpo), body=command), 200, 1000
        )
        await emsp.wait_for(lambda one: one.module == "commands", after=after)


async def test_a_url_too_long_to_be_sealed_comes_back_through_whichever_edge(guests: Guests) -> None:
    cpo, emsp = await guests.pair()
    own = emsp.response_url("commands", "UNLOCK_CONNECTOR")
    urls = [f"{own}?q={token_urlsafe(200)}"[:255] for _ in range(2 * EDGES)]
    for url in urls:
        body = bodies.command(cpo, emsp, "UNLOCK_CONNECTOR") | {"response_url": url}
        check(await emsp.call("POST", "commands", RECEIVER, "UNLOCK_CONNECTOR", to=party_of(cpo), body=body), 200, 1000)
    refs = {one.json["response_url"].rpartition("/")[2] for one in got(cpo, "commands")}
    assert len(refs) == len(urls) and {len(ref) for ref in refs} == {STORED_REF}
    await eventually(
        lambda: {url.partition("?q=")[2] for url in urls} == {one.query["q"] for one in got(emsp, "commands")}
    )


async def test_the_caller_of_a_directed_push_waits_on_its_edge_for_whichever_worker(guests: Guests) -> None:
    cpo, emsp = await guests.pair()
    sessions = [bodies.session(cpo, emsp) for _ in range(12)]
    for kwh in (0.0, 1.0, 2.0):
        bodies_now = [one | {"kwh": kwh} for one in sessions]
        pushes = [
            cpo.call("PUT", "sessions", RECEIVER, *party_of(cpo), one["id"], to=party_of(emsp), body=one)
            for one in bodies_now
        ]
        for answer in await asyncio.gather(*pushes):
            assert answer.status_code == 1000, answer.body
    last = {one.json["id"]: one.json["kwh"] for one in got(emsp, "sessions")}
    assert last == {one["id"]: 2.0 for one in sessions}


async def test_broadcasts_through_every_edge_arrive_in_order(guests: Guests) -> None:
    cpo, emsp = await guests.pair()
    location = bodies.location(party_of(cpo))
    for number in range(30):
        body = location | {"name": f"state {number:02}"}
        check(
            await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), location["id"], to=HUB, body=body), 200, 1000
        )
    seen = [one.json["name"] for one in got(emsp, "locations")]
    await eventually(lambda: bool(got(emsp, "locations")) and got(emsp, "locations")[-1].json["name"] == "state 29")
    assert seen == sorted(seen)


async def test_a_suspension_holds_on_every_edge_and_any_operator_port_tells(guests: Guests, many: Many) -> None:
    cpo, emsp = await guests.pair()
    await many.processes[-1].act(party_of(cpo), "suspend")

    async def refused_everywhere() -> bool:
        answers = await asyncio.gather(*(emsp.call("GET", "locations", SENDER, to=party_of(cpo)) for _ in range(EDGES)))
        return all(answer.status_code == 4003 for answer in answers)

    await eventually(refused_everywhere, within=5)
    for process in many.processes:
        assert (await process.show(party_of(cpo)))["platforms"][0]["roles"][0]["suspended"] is True
    await many.processes[1].act(party_of(cpo), "resume")


async def test_an_edge_that_is_killed_costs_only_what_it_had_in_flight(guests: Guests, many: Many) -> None:
    cpo, emsp = await guests.pair()
    edge = many.processes[EDGES - 1]
    edge.signal(signal.SIGKILL)
    await edge.ended()
    for _ in range(2 * EDGES):
        check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)
    edge.begin()
    await edge.ready()
    sample = await guests.join(sample_emsp(new_party()))
    check(await sample.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)
