"""The topics on a Kafka cluster: `create` makes what is missing, `check` says what is wrong, `epochs` reads epochs.

All take an admin client that was started. What a topic must be like is in rules.py; nothing that is there is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    NoError,
    RequestTimedOutError,
    StaleMetadata,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.client import Client
from routing.log.kafka.difference import Difference, Tools
from routing.log.kafka.options import client_options, why_away, words
from routing.log.kafka.rules import Found, Judged, config, differences, judge, uneven, usual
from routing.log.port import LogAway, LogUnusable
from routing.topics import PARTITIONS, Need

_AWAY: Final = (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, StaleMetadata, TimeoutError, OSError)
_REQUEST_MS: Final = 10_000
_VISIBLE_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.1


class State(StrEnum):
    CREATED = "created"
    RIGHT = "right"
    DIFFERS = "differs"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Report:
    """What `create` did about one topic, by its whole name; `reason` is why it was refused."""

    topic: str
    state: State
    partitions: int
    replication: int
    differences: tuple[Difference, ...] = ()
    reason: str = ""

    @property
    def fatal(self) -> bool:
        """Whether a hub would not start on it."""
        return self.state is State.REFUSED or any(one.fatal for one in self.differences)


@asynccontextmanager
async def administering(address: KafkaAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client for this cluster, started and closed. Raises LogAway or LogUnusable, also from its block."""
    options = {"request_timeout_ms": _REQUEST_MS, **client_options(address)}
    admin = AIOKafkaAdminClient(**options)
    admin._client = Client(**options)  # noqa: SLF001 - it cannot be given one
    try:
        try:
            await admin.start()
        except _AWAY:
            raise await why_away(address, within_ms=_REQUEST_MS) from None
        yield admin
    except _AWAY as error:
        raise LogAway(f"Kafka ({address}) does not answer any more: {words(error)}") from error
    except KafkaError as error:
        raise LogUnusable(f"Kafka ({address}) says no: {words(error)}") from error
    finally:
        await admin.close()


async def survey(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Found]:
    """Those of these topics that are there and may be seen. Raises LogUnusable where their settings may not be."""
    # All topics are asked for: naming one that is missing may create it, as the broker likes it.
    topics = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    there = [name for name in names if topics.get(name)]
    settings = await _settings(admin, there)
    return {
        name: Found(len(topics[name]), min(len(one["replicas"]) for one in topics[name]), settings[name])
        for name in there
        if name in settings
    }


async def epochs(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, int]:
    """The epoch of each of these topics that is there, by whole name."""
    return {name: Found(0, 0, settings).epoch for name, settings in (await _settings(admin, names)).items()}


async def check(admin: AIOKafkaAdminClient, needs: Sequence[Need], tools: Tools, *, prefix: str = "") -> Judged:
    """What keeps a hub with these needs from starting, and what it is to be warned of."""
    needs = _named(needs, prefix)
    return judge(needs, await survey(admin, [need.name for need in needs]), tools)


async def create(
    admin: AIOKafkaAdminClient,
    needs: Sequence[Need],
    tools: Tools,
    *,
    now: int,
    partitions: int | None = None,
    prefix: str = "",
) -> list[Report]:
    """Make the topics that are missing, say of the others whether they are right. `now` (UTC ms) is their epoch.

    Without `partitions` they get as many as the event topics that are there, else PARTITIONS; where those have another
    number than was asked for, no event topic is made.
    """
    needs = _named(needs, prefix)
    before = await survey(admin, [need.name for need in needs])
    there = usual(needs, before)
    count = partitions or there or PARTITIONS
    needs = [replace(need, partitions=count) for need in needs]
    missing = [need for need in needs if need.name not in before]
    refused = {}
    if there not in {None, count}:
        reason = f"the event topics that are there have {there} partitions, not {count}"
        refused = {need.name: reason for need in missing if need.events}
    refused |= await _make(admin, [need for need in missing if need.name not in refused], now)
    made = {need.name for need in missing} - refused.keys()
    after = await _visible(admin, needs, made)
    unlike = uneven(needs, after, tools)
    return [_report(need, after.get(need.name), made, refused, tools, unlike) for need in needs]


def _report(
    need: Need,
    found: Found | None,
    made: Collection[str],
    refused: Mapping[str, str],
    tools: Tools,
    unlike: Iterable[Difference],
) -> Report:
    if found is None:
        reason = refused.get(need.name, "it was made, but cannot be seen yet: try again")
        return Report(need.name, State.REFUSED, need.partitions, need.replication, (), reason)
    different = differences(need, found, tools) + [one for one in unlike if one.topic == need.name]
    if found.partitions != need.partitions and not any(one.topic == need.name for one in unlike):
        different.append(
            Difference(
                need.name, "the number of partitions", str(need.partitions), str(found.partitions), False,
                "it is fixed when a topic is made", "leave it; a hub takes the number that it finds",
            )
        )  # fmt: skip
    state = State.DIFFERS if different else State.CREATED if need.name in made else State.RIGHT
    return Report(need.name, state, found.partitions, found.replication, tuple(different))


async def _make(admin: AIOKafkaAdminClient, needs: Sequence[Need], now: int) -> dict[str, str]:
    """Make them; returns why, of each that the cluster refused. One that somebody made meanwhile is no refusal."""
    if not needs:
        return {}
    topics = [
        NewTopic(need.name, need.partitions, need.replication, topic_configs=config(need, epoch=now)) for need in needs
    ]
    response = await admin.create_topics(topics)
    refused = {}
    for name, code, message in response.topic_errors:
        error = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):
            refused[name] = f"{error.description or error.__name__} {message or ''}".strip()
            if error is InvalidReplicationFactorError:
                refused[name] += " (on a cluster of one node say --single-node)"
    return refused


async def _visible(admin: AIOKafkaAdminClient, needs: Sequence[Need], made: Collection[str]) -> dict[str, Found]:
    """All that is there, once what was made is seen with a leader for each partition, or after a while without."""
    give_up = asyncio.get_running_loop().time() + _VISIBLE_SECONDS
    while True:
        led = {
            topic["topic"]
            for topic in await admin.describe_topics()
            if topic["partitions"] and all(one["leader"] >= 0 for one in topic["partitions"])
        }
        if led >= set(made) or asyncio.get_running_loop().time() > give_up:
            return await survey(admin, [need.name for need in needs])
        await asyncio.sleep(_LOOK_SECONDS)


async def _settings(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found = {}
    for code, message, _, name, entries in (one for answer in answers for one in answer.resources):
        error = for_code(code)
        if error is UnknownTopicOrPartitionError:
            continue
        if error is TopicAuthorizationFailedError:
            raise LogUnusable(
                f"this user may not read the settings of {name}: grant it the operation DescribeConfigs on the topic"
            )
        if error is not NoError:
            raise LogUnusable(f"the settings of {name} cannot be read: {message or error.__name__}")
        found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found


def _named(needs: Sequence[Need], prefix: str) -> list[Need]:
    return [replace(need, name=prefix + need.name) for need in needs]
