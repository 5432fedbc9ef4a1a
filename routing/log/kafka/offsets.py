"""Where partitions begin and end, and looking into one without holding it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.protocol.offset import OffsetRequest

from routing.log.kafka.fetch_request import ONCE, Fetched, FetchRequest
from routing.log.kafka.options import words
from routing.log.kafka.packed import Named
from routing.log.kafka.parts import Part
from routing.log.kafka.wire import BACKOFF, REQUEST_MS, KafkaError, Wire, failure
from routing.log.port import LogAway, LogError, Position, Record, TopicPartition

END: Final = -1
BEGINNING: Final = -2

_WITHIN: Final = 10.0
_LANE: Final = "looking"
_ANSWER_BYTES: Final = 2**20


async def offsets(wire: Wire, names: Iterable[Named], at: int) -> dict[Named, int]:
    """The offset at the BEGINNING or END of each, or of the first record from `at` (UTC ms) on, -1 where none is.

    Raises LogAway after a while, LogError.
    """
    missing = dict.fromkeys(names)
    found: dict[Named, int] = {}
    until = time.monotonic() + _WITHIN
    while missing:
        try:
            found |= await _offsets_once(wire, missing, at)
            missing = {name: None for name in missing if name not in found}
            trouble = "a partition has no leader"
        except KafkaError as error:
            if not error.retriable:
                raise LogError(f"offsets cannot be asked for: {words(error)}") from None
            trouble = words(error)
        if missing:
            if time.monotonic() > until:
                raise LogAway(f"Kafka does not say where {len(missing)} partitions begin and end: {trouble}")
            await _anew(wire)
    return found


async def look(wire: Wire, tp: TopicPartition, name: Named, epoch: int, start: Position, limit: int) -> list[Record]:
    """Up to so many records from a position on. Raises LogAway, LogError."""
    if start.epoch > epoch or limit <= 0:
        return []
    found: list[Record] = []
    part = Part(tp, name, epoch, start.offset if start.epoch == epoch else 0)
    until = time.monotonic() + _WITHIN
    while len(found) < limit:
        try:
            more = await _look_once(wire, part)
        except OffsetOutOfRangeError:
            beginning = (await offsets(wire, [name], BEGINNING))[name]
            if part.ahead >= beginning:
                break  # behind the end
            part = Part(tp, name, epoch, beginning)
            continue
        except KafkaError as error:
            if not error.retriable:
                raise LogError(f"{name[0]} cannot be read: {words(error)}") from None
            if time.monotonic() > until:
                raise LogAway(f"{name[0]} cannot be read: {words(error)}") from None
            await _anew(wire)
            continue
        if not more:
            break
        part.take(found, limit, _NO_BOUND)
    return found


async def _offsets_once(wire: Wire, names: Iterable[Named], at: int) -> dict[Named, int]:
    await wire.start()
    by_leader: dict[int, dict[str, list[tuple[int, int]]]] = {}
    for topic, number in names:
        leader = wire.leader(topic, number)
        if leader is not None:
            by_leader.setdefault(leader, {}).setdefault(topic, []).append((number, at))
    found: dict[Named, int] = {}
    for leader, topics in by_leader.items():
        answer = await wire.ask(
            leader, OffsetRequest(-1, 0, list(topics.items())), lane=_LANE, timeout=REQUEST_MS / 1000
        )
        for topic, partitions in answer.topics:
            for number, code, _, offset in partitions:
                error = failure(code)
                if error is None:
                    found[topic, number] = offset
                elif not error.retriable:
                    raise error
    return found


async def _look_once(wire: Wire, part: Part) -> bool:
    """Fetch what comes next; whether there was anything."""
    await wire.start()
    leader = wire.leader(*part.name)
    if leader is None:
        raise _NoLeader(f"partition {part.name[1]} has no leader")
    request = FetchRequest(
        ONCE, {part.name: part.ahead}, wait_ms=0, max_bytes=_ANSWER_BYTES, partition_bytes=_ANSWER_BYTES
    )
    fetched: Fetched = await wire.ask(leader, request, lane=_LANE, timeout=REQUEST_MS / 1000)
    for code in (fetched.error, *(found.error for found in fetched.partitions)):
        error = failure(code)
        if error is not None:
            raise error
    return any(part.add(found.records) for found in fetched.partitions)


async def _anew(wire: Wire) -> None:
    await asyncio.sleep(BACKOFF)
    if wire.started:
        try:
            await wire.refresh()
        except KafkaError:
            pass


class _NoLeader(KafkaError):  # type: ignore[misc]
    retriable = True


_NO_BOUND: Final = 2**62
