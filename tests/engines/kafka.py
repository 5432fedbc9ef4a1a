"""A broker that is its own controller (KRaft), with settings for tests: small, and soon back after kill -9."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Final
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.engines.engine import Engine, EngineFailed
from tests.engines.fetch import HERE, Say, cached, java, kafka_jars

MESSAGE_BYTES: Final = 8 * 2**20

_SETTINGS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    # One node is all there is.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MESSAGE_BYTES),
    "replica.fetch.max.bytes": str(MESSAGE_BYTES),
    # Members come, go and are killed at the pace of a test.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "100",
    # After kill -9 the old registration has to expire; with the defaults that takes 12 s.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "500",
    # Several stand there and wait, beside tests that need the cores.
    "metadata.max.idle.interval.ms": "10000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    # Fits the small heap.
    "log.cleaner.dedupe.buffer.size": "16777216",
}
_CLASSES: Final = "classes.jsa"
_VOTERS: Final = "controller.quorum.voters"
_JVM: Final = ("-XX:+UseSerialGC", "-XX:-UsePerfData")
_SMALL: Final = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1")
_ROOMY: Final = ("-Xms1536m", "-Xmx1536m", "-Xmn1280m", "-XX:+AlwaysPreTouch")


class Kafka(Engine):
    """Apache Kafka. `address` is "127.0.0.1:PORT", for `bootstrap_servers` and behind `kafka://`.

    A `roomy` one has memory as a broker that serves somebody has, all of it touched at its start: with little it stops
    for its garbage every few seconds, on a core that load and recipients share with it, and each stop that takes memory
    for the first time lasts a quarter of a second.
    """

    name: ClassVar[str] = "Kafka"
    ports_needed: ClassVar[int] = 2
    port_taken: ClassVar[str] = "Address already in use"

    def __init__(self, folder: Path, *, roomy: bool = False) -> None:
        super().__init__(folder)
        self._roomy = roomy

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def prepare(self) -> None:
        client, controller = self.ports
        settings = _SETTINGS | {
            "listeners": f"PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{client}",
            _VOTERS: f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.folder / "data"),
        }
        _write(settings, self.folder)
        shutil.copytree(self._begun_with() / "data", self.folder / "data")

    def command(self) -> list[str]:
        words = _java(_ROOMY) if self._roomy else _java(_SMALL, self._classes())
        return [*words, "kafka.Kafka", "server.properties"]

    def _begun_with(self) -> Path:
        return prepared()

    def _classes(self) -> str:
        return f"-XX:SharedArchiveFile={prepared() / _CLASSES}"

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.ports[0]), 2):
                pass
        except OSError:
            return False
        return asyncio.run(self._lists_topics())

    async def _lists_topics(self) -> bool:
        # A broker that takes connections may still be fenced: then it names no broker, and the client says so aloud.
        aloud = logging.getLogger("aiokafka")
        before, aloud.level = aloud.level, logging.CRITICAL
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address, request_timeout_ms=3000)
        try:
            await admin.start()
            await admin.list_topics()
            return True
        except (KafkaError, OSError, ValueError):
            return False
        finally:
            await admin.close()
            aloud.setLevel(before)


class _First(Kafka):
    """The first broker of a machine: at its end its JVM writes down the classes that it loaded, as they are loaded."""

    def __init__(self, prepared: Path) -> None:
        super().__init__(prepared / "first")
        self._prepared = prepared

    def _begun_with(self) -> Path:
        return self._prepared

    def _classes(self) -> str:
        return f"-XX:ArchiveClassesAtExit={self._prepared / _CLASSES}"


def _java(memory: Sequence[str], *more: str) -> list[str]:
    log4j = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    return [java(), *memory, *_JVM, *more, "-cp", f"{kafka_jars()}/*", log4j]


def _write(settings: Mapping[str, str], folder: Path) -> None:
    lines = (f"{name}={value}\n" for name, value in settings.items())
    (folder / "server.properties").write_text("".join(lines))


def prepared(say: Say | None = None) -> Path:
    """What every broker of these tests begins with, made once on a machine: an empty data folder (a JVM that makes one
    takes longer than a broker's start), and the classes that a broker loads, which make its start half as long.

    All have the same cluster id, and know of no other. Without the classes (another Java) a start takes longer. Raises
    NotHere and EngineFailed.
    """
    java()

    def fill(target: Path) -> None:
        if say is not None:
            say("making what every broker of the tests begins with (once) ...")
        address = "127.0.0.1:9"
        listeners = {"listeners": f"CONTROLLER://{address}", "process.roles": "controller"}
        _write(_SETTINGS | listeners | {_VOTERS: f"1@{address}", "log.dirs": str(target / "data")}, target)
        words = ("format", "-t", urlsafe_b64encode(uuid4().bytes).decode().rstrip("="), "-c", "server.properties")
        tool = [*_java(_SMALL), "kafka.tools.StorageTool", *words]
        ran = subprocess.run(tool, cwd=target, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise EngineFailed(f"Kafka's folder could not be made: {(ran.stdout + ran.stderr)[-2000:]}")
        first = _First(target)
        try:
            first.start()
            first.stop()
        finally:
            first.remove()

    of = f"{kafka_jars().parent.name} {sorted(_SETTINGS.items())} {_SMALL}"
    return cached(f"kafka-begun-{sha256(of.encode()).hexdigest()[:12]}", fill, say)
