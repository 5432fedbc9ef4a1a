"""What members of a group tell one another in Kafka's classic group protocol, and the requests for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as Assignment
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata as Metadata

from routing.log.kafka.assignor import Member
from routing.log.port import TopicPartition

PROTOCOL_TYPE: Final = "consumer"
"""Kafka's own tools then show who reads what."""

PROTOCOL: Final = "ocpi-hub-1"
"""Members that deal in another way have another name, and do not get into one group with these."""

_VERSION: Final = 0


def write_member(member: Member) -> bytes:
    """What a member says as it joins. Topics are named as the cluster knows them."""
    holds = _by_topic(member.holds)
    told = {"name": member.name, "generation": member.generation, "holds": holds}
    packed: bytes = Metadata(_VERSION, sorted(member.topics), orjson.dumps(told)).encode()
    return packed


def read_member(data: bytes) -> Member:
    """Raises nothing: of one that says nothing sensible only its topics are believed, or not even these."""
    try:
        metadata = Metadata.decode(data)
        topics = frozenset(metadata.subscription)
    except (ValueError, TypeError):
        return Member("", frozenset())
    try:
        told = orjson.loads(metadata.user_data)
        holds = frozenset(
            TopicPartition(topic, int(number)) for topic in told["holds"] for number in told["holds"][topic]
        )
        return Member(str(told["name"]), topics, int(told["generation"]), holds)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Member("", topics)


@dataclass(frozen=True, slots=True)
class Given:
    """What one member is given. `to` is the id it had then, `topics` were dealt out at all; `whole`: all of them, so
    that no other round is to follow."""

    tps: frozenset[TopicPartition] = field(default_factory=frozenset)
    to: str = ""
    topics: frozenset[str] = field(default_factory=frozenset)
    whole: bool = True


def write_given(given: Given) -> bytes:
    told = {"to": given.to, "topics": sorted(given.topics), "whole": given.whole}
    packed: bytes = Assignment(_VERSION, sorted(_by_topic(given.tps).items()), orjson.dumps(told)).encode()
    return packed


def read_given(data: bytes) -> Given:
    """Raises ValueError for what is none."""
    if not data:
        return Given()
    assignment: Any = Assignment.decode(data)
    tps = frozenset(TopicPartition(topic, number) for topic, numbers in assignment.assignment for number in numbers)
    try:
        told = orjson.loads(assignment.user_data)
        return Given(tps, str(told["to"]), frozenset(told["topics"]), bool(told["whole"]))
    except (TypeError, KeyError) as error:
        raise ValueError("an assignment without what it says beside the partitions") from error


def _by_topic(tps: Iterable[TopicPartition]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, number in sorted(tps):
        found.setdefault(topic, []).append(number)
    return found


def partitions_by_topic(tps: Mapping[TopicPartition, Any]) -> list[tuple[str, list[TopicPartition]]]:
    """In the grouping that requests have."""
    found: dict[str, list[TopicPartition]] = {}
    for tp in sorted(tps):
        found.setdefault(tp.topic, []).append(tp)
    return list(found.items())
