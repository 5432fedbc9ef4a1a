"""Steady directed pushes, one after the other in each partition, and how long each partition stood still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient

from connectors.sample import NoAnswer, SamplePlatform
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.group_protocol import read_given
from routing.log.port import TopicPartition, partition_of
from routing.worker.worker import GROUP
from tests.scenarios import bodies
from tests.scenarios.backing import PARTITIONS, OnEngines
from tests.scenarios.parties import RECEIVER, got, party_of

MODULES: Final = ("locations", "tariffs", "sessions")
_PAUSE: Final = 0.03
_BEGAN: Final = datetime(2026, 3, 1, tzinfo=UTC)


class Pushed(NamedTuple):
    """One push: when it was answered (seconds), its status_code (None: no answer came), and the state that it had."""

    at: float
    status_code: int | None
    state: str


class Stream:
    """Pushes of one object, from a CPO to an eMSP; `answers` are in their order."""

    def __init__(self, cpo: SamplePlatform, emsp: SamplePlatform, module: str, partition: int) -> None:
        self.tp = TopicPartition(f"ocpi.{module}", partition)
        self.answers: list[Pushed] = []
        self._cpo, self._emsp, self._module = cpo, emsp, module
        owner = party_of(cpo)
        make = {"locations": bodies.location, "tariffs": bodies.tariff}.get(module)
        while True:
            self.body = bodies.session(cpo, emsp) if make is None else make(owner)
            key = f"{owner.country_code}*{owner.party_id}/{module}/{self.body['id'].upper()}".encode()
            if partition_of(key, PARTITIONS) == partition:
                break

    async def run(self) -> None:
        """Push until cancelled."""
        while True:
            await self.push()
            await asyncio.sleep(_PAUSE)

    async def push(self) -> int | None:
        """Push the next state; the status_code, None where no answer came."""
        state = (_BEGAN + timedelta(seconds=len(self.answers))).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = self.body | {"last_updated": state}
        try:
            answer = await self._cpo.call(
                "PUT", self._module, RECEIVER, *party_of(self._cpo), self.body["id"], to=party_of(self._emsp), body=body
            )
            code = answer.status_code
        except NoAnswer:
            code = None
        self.answers.append(Pushed(time.monotonic(), code, state))
        return code

    def stood_still(self, since: float) -> float:
        """The longest time from then on in which nothing was delivered, in seconds."""
        moments = [since, *(one.at for one in self.answers if one.at > since and one.status_code == 1000)]
        return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)

    def check_order(self) -> None:
        """Each state came once at most and after those before it: all that were delivered, none that never will be."""
        seen = [one.json["last_updated"] for one in got(self._emsp, self._module) if one.json["id"] == self.body["id"]]
        assert seen == sorted(set(seen))
        assert {one.state for one in self.answers if one.status_code == 1000} <= set(seen)
        assert not {one.state for one in self.answers if one.status_code == 4003} & set(seen)

    @property
    def failed(self) -> list[int | None]:
        return [one.status_code for one in self.answers if one.status_code != 1000]


def everywhere(cpo: SamplePlatform, emsp: SamplePlatform) -> list[Stream]:
    """A stream in every partition of some modules, not begun."""
    return [Stream(cpo, emsp, module, number) for module in MODULES for number in range(PARTITIONS)]


@asynccontextmanager
async def streaming(cpo: SamplePlatform, emsp: SamplePlatform) -> AsyncIterator[list[Stream]]:
    """A stream in every partition of some modules, begun once each was answered."""
    streams = everywhere(cpo, emsp)
    running = [asyncio.create_task(stream.run()) for stream in streams]
    try:
        while not all(any(one.status_code == 1000 for one in stream.answers) for stream in streams):
            await asyncio.sleep(_PAUSE)
        yield streams
    finally:
        for task in running:
            task.cancel()
        for outcome in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def owners(backing: OnEngines) -> dict[TopicPartition, str]:
    """Which member of the group has each partition now, by its name."""
    address = KafkaAddress.parse(str(backing.settings()["log"]))
    admin = AIOKafkaAdminClient(bootstrap_servers=backing.kafka.address)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([address.group(GROUP)])
    finally:
        await admin.close()
    found = {}
    for _, client, _, _, assignment in answer.groups[0][5]:
        for tp in read_given(assignment).tps:
            found[TopicPartition(tp.topic.removeprefix(address.prefix), tp.partition)] = client
    return found
