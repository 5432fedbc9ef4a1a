"""Starts of processes on a real Kafka and a real MongoDB that are away, late, or not as they must be."""

from __future__ import annotations

import asyncio
import signal
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_bytes

import pytest

from tests.engines.mongo import Mongo
from tests.engines.plugin import Engines
from tests.scenarios.backing import OnEngines
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import free_port
from tests.scenarios.many import Many, Process
from tests.scenarios.parties import eventually
from tests.scenarios.vault import Vault


@pytest.fixture
def on_engines(engines: Engines) -> OnEngines:
    return OnEngines(engines.kafka(), engines.mongo())


@pytest.fixture
async def many(tmp_path: Path, vault: Vault, on_engines: OnEngines) -> AsyncIterator[Many]:
    hub = Many(tmp_path, vault, on_engines)
    yield hub
    await asyncio.to_thread(hub.close)


def says_what_it_waits_for(process: Process, what: str) -> bool:
    return any(what in event["waits_for"] for event in process.events("waiting_at_start"))


async def test_a_start_without_an_engine_or_without_topics_ends_with_a_sentence(many: Many) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    away = {"store": f"mongodb://hub:secret-canary@{nowhere}/hub", "log": f"kafka://{nowhere}?single_node=true"}
    waiting = {name: many.add(name, "serve", start_seconds=5, **{name: url}) for name, url in away.items()}
    bare = many.add("bare", "edge", log=f"{many.settings['log']}nothing.")
    await asyncio.to_thread(many.prepare)
    for process in many.processes:
        process.fresh = True
        process.begin()
    assert [await process.ended() for process in many.processes] == [1, 1, 1]
    for name, process in waiting.items():
        said = process.output()
        assert says_what_it_waits_for(process, nowhere)
        assert f"the {name} " in said and "was not there within 5 s (HUB_START_SECONDS)" in said
    assert "nothing.ocpi.locations" in bare.output() and "ocpi-hub topics create" in bare.output()
    for process in many.processes:
        assert "secret-canary" not in process.output() and "Traceback" not in process.output()


async def test_a_start_waits_for_a_store_that_is_late_and_can_be_ended_meanwhile(many: Many, own_mongo: Mongo) -> None:
    own_mongo.stop()
    ended, going_on = (many.add(name, "edge", store=own_mongo.uri("late")) for name in ("ended", "going-on"))
    await asyncio.to_thread(many.prepare)
    for process in (ended, going_on):
        process.begin()
    for process in (ended, going_on):
        await eventually(lambda process=process: says_what_it_waits_for(process, "mongodb://"), within=60)  # type: ignore[misc]
    ended.signal(signal.SIGTERM)
    assert await ended.ended() == 0
    assert going_on.running
    await asyncio.to_thread(own_mongo.start)
    await going_on.ready()


async def test_whoever_has_other_keys_or_another_ones_name_does_not_start_beside_it(many: Many) -> None:
    first = many.add("first", "serve", member="w1")
    await many.start()
    other = f"k1:{b64encode(token_bytes(32)).decode()}"
    another = other.replace("k1", "k2")
    refused = {
        many.add("key-of-this-id", "edge", keys=other): "HUB_KEYS",
        many.add("key-of-another-id", "edge", keys=another): "HUB_KEYS",
        many.add("name", "worker", member="w1", start_seconds=1): "HUB_MEMBER",
    }
    both = many.add("both-keys", "edge", keys=f"{many.settings['keys']},{another}")
    for process in (*refused, both):
        process.begin()
    for process, said in refused.items():
        assert await process.ended() == 1
        assert said in process.output() and "Traceback" not in process.output()
    await both.ready()
    assert first.running


@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    "words", [("edge",), ("worker",), ("serve", "--processes", "2"), ("edge", "--processes", "1")], ids=" ".join
)
async def test_one_of_several_processes_asks_for_kafka_and_mongodb(make_hub: MakeHub, words: tuple[str, ...]) -> None:
    code, _, err = await make_hub().cli(*words)
    assert code == 1
    assert "set HUB_LOG=kafka://host:port and HUB_STORE=mongodb://host:port/name" in err and "Traceback" not in err
