"""A broker that is its own controller (KRaft), with settings for tests: small, and soon back after kill -9."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
from pathlib import Path
from typing import ClassVar, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.engines.engine import Engine, EngineFailed
from tests.engines.fetch import HERE, java, kafka_jars

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
    "broker.heartbeat.interval.ms": "300",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    # Fits the small heap.
    "log.cleaner.dedupe.buffer.size": "16777216",
}
_JVM: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-XX:-UsePerfData")
_SMALL: Final = ("-Xms256m", "-Xmx512m")
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
        self._memory = _ROOMY if roomy else _SMALL

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def prepare(self) -> None:
        client, controller = self.ports
        settings = _SETTINGS | {
            "listeners": f"PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{client}",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "log.dirs": str(self.folder / "data"),
        }
        lines = (f"{name}={value}\n" for name, value in settings.items())
        (self.folder / "server.properties").write_text("".join(lines))
        cluster = self._storage("random-uuid").split()[-1]
        self._storage("format", "--standalone", "-t", cluster, "-c", "server.properties")

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", "server.properties"]

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

    def _java(self) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        return [java(), *self._memory, *_JVM, "-cp", f"{kafka_jars()}/*", log4j]

    def _storage(self, *words: str) -> str:
        tool = [*self._java(), "kafka.tools.StorageTool", *words]
        ran = subprocess.run(tool, cwd=self.folder, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise EngineFailed(f"Kafka's folder could not be made: {(ran.stdout + ran.stderr)[-2000:]}")
        return ran.stdout
