"""The engines are real: what was acknowledged outlives kill -9, on the same port, and a stop ends exactly its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import MongoClient

from tests.engines.engine import EngineFailed
from tests.engines.kafka import Kafka
from tests.engines.mongo import Mongo
from tests.engines.process import FILE, Identity, Process, free_ports

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


async def test_kafka_answers_after_kill_9_on_the_same_port_with_its_data(own_kafka: Kafka) -> None:
    address = own_kafka.address
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True) as producer:
        for number in range(20):
            await producer.send_and_wait("kept", b"%d" % number)
    own_kafka.kill()
    assert not own_kafka.running
    await asyncio.to_thread(own_kafka.start)
    assert own_kafka.address == address
    async with AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition("kept", 0)])
        read = [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(20)]
    assert read == [b"%d" % number for number in range(20)]


async def test_mongod_answers_after_kill_9_on_the_same_port_with_its_data(own_mongo: Mongo) -> None:
    address = own_mongo.address

    def write() -> None:
        with MongoClient[dict[str, Any]](address, w="majority", journal=True) as client:
            for number in range(20):
                client.test.kept.insert_one({"_id": number})
            with client.start_session() as session, session.start_transaction():
                client.test.kept.insert_one({"_id": "in a transaction"}, session=session)
            with client.test.watch():
                """Change streams are there."""

    def read() -> set[Any]:
        with MongoClient[dict[str, Any]](address) as client:
            return {found["_id"] for found in client.test.kept.find()}

    await asyncio.to_thread(write)
    own_mongo.kill()
    assert not own_mongo.running
    await asyncio.to_thread(own_mongo.start)
    assert own_mongo.address == address
    assert await asyncio.to_thread(read) == {*range(20), "in a transaction"}


def test_a_paused_engine_answers_nothing_until_it_goes_on(own_mongo: Mongo) -> None:
    own_mongo.pause()
    assert own_mongo.running
    assert not own_mongo.answers()
    own_mongo.go_on()
    assert own_mongo.answers()


def test_a_paused_engine_can_be_stopped(own_mongo: Mongo) -> None:
    own_mongo.pause()
    own_mongo.stop()
    assert not own_mongo.running


def test_the_shared_engines_answer(kafka: str, mongo: str) -> None:
    host, _, port = kafka.partition(":")
    assert host == "127.0.0.1"
    assert port.isdigit()
    with MongoClient[dict[str, Any]](mongo) as client:
        assert client.admin.command("hello")["setName"] == "rs0"


def test_an_end_reaches_the_process_of_its_folder_and_no_other(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = Process(tmp_path / "one"), Process(tmp_path / "other")
    one.begin(SLEEPER)
    other.begin(SLEEPER)
    Process(tmp_path / "one").end(10)  # as another program would that knows only the folder
    assert not one.running
    assert other.running
    other.kill()
    assert not other.running


def test_a_pid_that_was_given_to_another_process_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEPER)
    try:
        now = Identity.of(stranger.pid)
        assert now is not None
        for former in (replace(now, began=now.began - 1), replace(now, boot="another")):
            (tmp_path / FILE).write_text(json.dumps(asdict(former)))
            assert not Process(tmp_path).running
            Process(tmp_path).end(1)
            Process(tmp_path).kill()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert Identity.of(stranger.pid) is None


def test_an_engine_whose_port_somebody_else_has_says_so(own_mongo: Mongo, tmp_path: Path) -> None:
    second = Mongo(tmp_path / "second")
    second.start()
    second.stop()
    (second.folder / "ports.json").write_text(json.dumps(own_mongo.ports))
    with pytest.raises(EngineFailed, match="Address already in use"):
        second.start()
    assert own_mongo.answers()


def test_ports_differ_and_can_be_listened_on() -> None:
    assert len(set(free_ports(5))) == 5
