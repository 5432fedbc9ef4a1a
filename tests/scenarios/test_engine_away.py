"""What parties read while Kafka or MongoDB is away, killed or stopped, and that the hub recovers by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Literal

import orjson
import pytest

from connectors.sample import SamplePlatform, sample_emsp
from connectors.sample.client import SampleAnswer
from connectors.sample.connection import RegistrationRefused
from connectors.values import Role
from tests.engines.engine import Engine
from tests.engines.kafka import Kafka
from tests.engines.mongo import Mongo
from tests.engines.plugin import Engines
from tests.scenarios import bodies
from tests.scenarios.backing import OnEngines
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, new_party, party_of
from tests.scenarios.raw import exchange, request
from tests.scenarios.vault import Vault

How = Literal["killed", "stopped"]
pytestmark = pytest.mark.timeout(300)  # engines start and start again, on machines that may be busy
HOW = pytest.mark.parametrize("how", ["killed", "stopped"])
PUBLISH_SECONDS = 1.0
BACK_WITHIN = 60.0
FEW = 5


@pytest.fixture(scope="module")
def mortal(engines: Engines) -> Iterator[tuple[Kafka, Mongo]]:
    """A Kafka and a MongoDB that nobody else uses; each test leaves them running."""
    kafka, mongo = engines.own_kafka(), engines.own_mongo()
    yield kafka, mongo
    kafka.remove()
    mongo.remove()


@pytest.fixture
def hub(
    request: pytest.FixtureRequest, mortal: tuple[Kafka, Mongo], tmp_path: Path, vault: Vault
) -> Iterator[RunningHub]:
    """A hub on them, not started; a test's parameter are settings of its own."""
    settings: dict[str, object] = {"publish_seconds": PUBLISH_SECONDS, "start_seconds": 30}
    made = RunningHub(tmp_path / "hub", vault, backing=OnEngines(*mortal), **settings | getattr(request, "param", {}))
    yield made
    for engine in mortal:
        engine.go_on()
        engine.start()
    made.__exit__(None, None, None)


@pytest.fixture
def kafka(mortal: tuple[Kafka, Mongo]) -> Kafka:
    return mortal[0]


@pytest.fixture
def mongo(mortal: tuple[Kafka, Mongo]) -> Mongo:
    return mortal[1]


async def away(engine: Engine, how: How) -> None:
    """It is away when this returns."""
    if how == "killed":
        await asyncio.to_thread(engine.kill)
    else:
        engine.pause()


async def back(engine: Engine, how: How) -> None:
    """It serves again when this returns."""
    if how == "killed":
        await asyncio.to_thread(engine.start)
    else:
        engine.go_on()


def reasons(hub: RunningHub) -> list[str]:
    """Why the hub is not ready; empty when it is."""
    status, body = hub.ask("GET", "/readyz")
    found: list[str] = orjson.loads(body)["reasons"]
    assert (status == 200) is (not found)
    return found


async def says(hub: RunningHub, word: str) -> None:
    """Readiness names what is away."""

    async def named() -> bool:
        return any(word in reason for reason in await asyncio.to_thread(reasons, hub))

    await eventually(named, within=BACK_WITHIN)


async def ready(hub: RunningHub) -> None:
    """Readiness says that all is well."""

    async def well() -> bool:
        return not await asyncio.to_thread(reasons, hub)

    await eventually(well, within=BACK_WITHIN)


async def put(cpo: SamplePlatform, body: bodies.Json) -> SampleAnswer:
    """Broadcast a location."""
    return await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body)


async def put_session(cpo: SamplePlatform, emsp: SamplePlatform, session: bodies.Json) -> SampleAnswer:
    """A new session to its eMSP, which answers 201."""
    return await cpo.call("PUT", "sessions", RECEIVER, *party_of(cpo), session["id"], to=party_of(emsp), body=session)


async def relays(cpo: SamplePlatform, emsp: SamplePlatform) -> None:
    """A GET through the hub, and a command with its result."""
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)
    before, body = emsp.recorder.count, bodies.command(cpo, emsp, "STOP_SESSION")
    check(await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=body), 200, 1000)
    await emsp.wait_for(lambda one: one.module == "commands" and one.method == "POST", after=before)


def is_away(answer: SampleAnswer, code: int = 4000) -> None:
    """503 with an envelope and Retry-After."""
    check(answer, 503, code)
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.message


async def taken(cpo: SamplePlatform, emsp: SamplePlatform) -> None:
    """Broadcasts arrive again, and directed pushes of every kind."""

    async def accepted() -> bool:
        return (await put(cpo, bodies.location(party_of(cpo)))).status_code == 1000

    await eventually(accepted, within=BACK_WITHIN)

    async def answered() -> bool:
        answer = await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=bodies.cdr(cpo, emsp))
        return answer.status_code == 1000

    await eventually(answered, within=BACK_WITHIN)

    async def pushed() -> bool:
        # each topic is read over a connection of its own, and one may be back later: then this is 4003, to be repeated
        answer = await put_session(cpo, emsp, bodies.session(cpo, emsp))
        assert answer.status_code in (1000, 4003), answer
        return answer.status_code == 1000

    await eventually(pushed, within=BACK_WITHIN)
    last = bodies.location(party_of(cpo))
    check(await put(cpo, last), 200, 1000)
    await eventually(lambda: any(one.json["id"] == last["id"] for one in got(emsp, "locations")), within=BACK_WITHIN)


# --- Kafka -----------------------------------------------------------------------------------------------------------


@HOW
async def test_without_kafka_relays_go_on_and_no_push_is_accepted(hub: RunningHub, kafka: Kafka, how: How) -> None:
    hub.start()
    async with Parties(hub) as parties:
        cpo, emsp = await parties.pair()
        check(await put(cpo, bodies.location(party_of(cpo))), 200, 1000)
        await away(kafka, how)
        lost, session = bodies.location(party_of(cpo)), bodies.session(cpo, emsp)
        began = time.monotonic()
        broadcast, directed = await asyncio.gather(put(cpo, lost), put_session(cpo, emsp, session))
        is_away(broadcast)
        is_away(directed)
        assert time.monotonic() - began < PUBLISH_SECONDS + 10
        await relays(cpo, emsp)
        await says(hub, "Kafka")
        await back(kafka, how)
        await taken(cpo, emsp)
        await ready(hub)
        # whatever landed later than its 503 was dropped
        assert not [one for one in got(emsp, "locations") if one.json["id"] == lost["id"]]
        assert not [one for one in got(emsp, "sessions", "PUT") if one.json["id"] == session["id"]]


async def test_no_push_is_told_1000_while_kafka_goes_and_comes(hub: RunningHub, kafka: Kafka) -> None:
    hub.start()
    async with Parties(hub) as parties:
        cpo, emsp = await parties.pair()
        told: dict[str, int | None] = {}
        stopping = False

        async def load() -> None:
            while not stopping:
                body = bodies.location(party_of(cpo))
                told[body["id"]] = (await put(cpo, body)).status_code
                await asyncio.sleep(0.01)

        calls = [asyncio.create_task(load()) for _ in range(4)]
        for how in ("killed", "stopped", "killed"):
            await asyncio.sleep(0.5)
            await away(kafka, how)
            await asyncio.sleep(PUBLISH_SECONDS + 1)
            await back(kafka, how)
        await asyncio.sleep(1)
        stopping = True
        await asyncio.gather(*calls)
        await taken(cpo, emsp)
        accepted = {id for id, code in told.items() if code == 1000}
        assert accepted and set(told.values()) == {1000, 4000}
        await eventually(lambda: accepted <= {one.json["id"] for one in got(emsp, "locations")}, within=BACK_WITHIN)


# --- MongoDB ---------------------------------------------------------------------------------------------------------


@HOW
async def test_without_mongodb_what_needs_no_store_goes_on(hub: RunningHub, mongo: Mongo, how: How) -> None:
    hub.start()
    async with Parties(hub) as parties:
        cpo, emsp = await parties.pair()
        other = await parties.start(sample_emsp(new_party()))
        invitation = await hub.invite((party_of(other), Role.EMSP))
        await taken(cpo, emsp)
        await away(mongo, how)
        await says(hub, "MongoDB")

        await relays(cpo, emsp)
        long = bodies.command(cpo, emsp, "STOP_SESSION")
        before = cpo.recorder.count
        long["response_url"] += "?q=" + token_urlsafe(255)
        long["response_url"] = long["response_url"][:255]  # as long as one may be: sealed it would be longer
        is_away(await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=long))
        assert not got(cpo, "commands", after=before)
        unknown = request(
            hub, "/ocpi/2.2.1/sender/locations/LOC0001", headers={"Authorization": "Token bmV2ZXItaXNzdWVk"}
        )
        told = await exchange(hub, unknown)
        assert (told.http_status, told.envelope["status_code"]) == (503, 4000)
        assert "retry-after" in told.headers

        session = bodies.session(cpo, emsp)
        check(await put_session(cpo, emsp, session), 201, 1000)
        assert [one.json["id"] for one in got(emsp, "sessions", "PUT")][-1] == session["id"]
        location = bodies.location(party_of(cpo))
        path = (*party_of(cpo), location["id"])
        is_away(await cpo.call("PUT", "locations", RECEIVER, *path, to=party_of(emsp), body=location))
        cdr = bodies.cdr(cpo, emsp)
        is_away(await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=cdr))
        assert not [one for one in got(emsp, "cdrs") if one.json["id"] == cdr["id"]]

        waiting = bodies.location(party_of(cpo))
        check(await put(cpo, waiting), 200, 1000)
        with pytest.raises(RegistrationRefused) as refused:
            await other.register(invitation.versions_url, invitation.token)
        assert refused.value.answer is not None
        is_away(refused.value.answer, 3000)
        assert not [one for one in got(emsp, "locations") if one.json["id"] in (waiting["id"], location["id"])]

        await back(mongo, how)
        await taken(cpo, emsp)
        await ready(hub)
        await eventually(lambda: any(one.json["id"] == waiting["id"] for one in got(emsp, "locations")), within=60)
        answer = await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=cdr)
        check(answer, 201, 1000)
        assert len([one for one in got(emsp, "cdrs") if one.json["id"] == cdr["id"]]) == 1


@pytest.mark.parametrize("hub", [{"unwritten_states": FEW}], indirect=True)
async def test_what_waits_for_mongodb_is_bounded_of_sessions_and_is_the_logs_of_broadcasts(
    hub: RunningHub, mongo: Mongo
) -> None:
    hub.start()
    async with Parties(hub) as parties:
        cpo, emsp = await parties.pair()
        await taken(cpo, emsp)
        await away(mongo, "killed")
        await says(hub, "MongoDB")

        sessions = [bodies.session(cpo, emsp) for _ in range(FEW + 5)]
        told = [await put_session(cpo, emsp, each) for each in sessions]
        went = [answer.status_code for answer in told].index(4000)
        assert 0 < went <= FEW  # what was pushed just before it went may wait too
        for answer in told[:went]:
            check(answer, 201, 1000)
        for answer in told[went:]:
            is_away(answer)
        seen = {one.json["id"] for one in got(emsp, "sessions", "PUT")}
        assert [each["id"] in seen for each in sessions] == [place < went for place in range(len(sessions))]

        # more than a worker holds of what waits (4 MiB), so its partitions are paused, and the log is the buffer
        await taken_broadcasts(
            cpo, wanted := [bodies.location(party_of(cpo), padding="x" * 20_000) for _ in range(300)]
        )
        ids = {each["id"] for each in wanted}
        assert not [one for one in got(emsp, "locations") if one.json["id"] in ids]
        await relays(cpo, emsp)

        await back(mongo, "killed")
        await eventually(lambda: ids <= {one.json["id"] for one in got(emsp, "locations")}, within=BACK_WITHIN)

        async def takes() -> bool:
            return (await put_session(cpo, emsp, sessions[went])).status_code == 1000

        await eventually(takes, within=BACK_WITHIN)  # what waits of the sessions may be written after the broadcasts
        for each in sessions[went + 1 :]:
            check(await put_session(cpo, emsp, each), 201, 1000)
        await taken(cpo, emsp)
        await ready(hub)
        sent = [one.json["id"] for one in got(emsp, "sessions", "PUT")]
        assert [sent.count(each["id"]) for each in sessions] == [1] * len(sessions)


async def taken_broadcasts(cpo: SamplePlatform, locations: list[bodies.Json]) -> None:
    """All are accepted, a few at a time."""
    for first in range(0, len(locations), 8):
        for answer in await asyncio.gather(*(put(cpo, each) for each in locations[first : first + 8])):
            check(answer, 200, 1000)


# --- at the start ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["Kafka", "MongoDB"])
async def test_a_start_without_an_engine_waits_says_for_what_and_gives_up(
    hub: RunningHub, kafka: Kafka, mongo: Mongo, which: str, vault: Vault
) -> None:
    hub.start()
    hub.stop()
    engine, word = (kafka, "the log kafka://") if which == "Kafka" else (mongo, "the store mongodb://")
    await away(engine, "killed")
    impatient = RunningHub(hub.folder, vault, backing=hub.backing, start_seconds=8)
    impatient.begin()
    code = await asyncio.to_thread(impatient.process.wait, 60)
    assert code == 1
    assert any(word in waiting["waits_for"] for waiting in impatient.events("waiting_at_start"))
    last = impatient.output().splitlines()[-1]
    assert word in last and "HUB_START_SECONDS" in last and "Traceback" not in impatient.output()
    hub.begin()
    await asyncio.sleep(1)
    assert hub.running
    await back(engine, "killed")
    await ready_once_it_listens(hub)


async def ready_once_it_listens(hub: RunningHub) -> None:
    """Ready, though nobody listened yet when this was called."""

    async def well() -> bool:
        try:
            return not await asyncio.to_thread(reasons, hub)
        except OSError:
            return False

    await eventually(well, within=BACK_WITHIN)
