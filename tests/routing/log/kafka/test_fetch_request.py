"""The Fetch request as the hub packs and reads it is the one of the protocol: aiokafka's slower words for it agree."""

from __future__ import annotations

from collections import defaultdict
from io import BytesIO
from typing import Any

import pytest
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.fetch import FetchRequest_v11, FetchResponse_v11
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from routing.log.kafka.fetch_request import Fetched, FetchedPartition, FetchRequest, next_offset, one_batch
from routing.log.kafka.packed import Named

topics = st.text("abcü.", min_size=1, max_size=6)
named = st.tuples(topics, st.integers(0, 2**31 - 1))
int16, int32, int64 = st.integers(-1, 2**15 - 1), st.integers(0, 2**31 - 1), st.integers(-1, 2**63 - 1)
parts = st.builds(FetchedPartition, named, int16, int64, int64, st.binary(max_size=50))


def grouped(names: Any, of: Any) -> list[tuple[str, list[Any]]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for name in names:
        found[name[0]].append(of(name))
    return list(found.items())


@given(st.dictionaries(named, st.integers(0, 2**62), max_size=6), st.lists(named, max_size=4), int32, int32, int32)
def test_a_request_is_packed_as_the_protocol_has_it(
    told: dict[Named, int], gone: list[Named], session: int, wait: int, most: int
) -> None:
    request = FetchRequest((session, 7), told, gone, wait_ms=wait, max_bytes=most, partition_bytes=1000)
    theirs = FetchRequest_v11(
        -1, wait, 1, most, 0, session, 7,
        grouped(told, lambda name: (name[1], -1, told[name], -1, 1000)), grouped(gone, lambda name: name[1]), "",
    )  # fmt: skip
    assert request.encode() == theirs.encode()
    head = request.build_request_header(correlation_id=5, client_id="hub")
    assert head.encode() == theirs.build_request_header(correlation_id=5, client_id="hub").encode()


@given(int16, int32, st.lists(parts, max_size=6), st.none() | st.lists(st.tuples(int64, int64), max_size=3))
def test_an_answer_is_read_as_the_protocol_has_it(
    error: int, session: int, found: list[FetchedPartition], aborted: list[tuple[int, int]] | None
) -> None:
    by_topic = grouped([part.name for part in found], lambda name: name)
    partitions = [
        (topic, [
            (part.name[1], part.error, part.high_watermark, 0, part.log_start, aborted, -1, part.records)
            for part in found if part.name[0] == topic
        ])
        for topic, _ in by_topic
    ]  # fmt: skip
    head = (5).to_bytes(4, "big")
    answer = BytesIO(head + FetchResponse_v11(0, error, session, partitions).encode())
    request = FetchRequest((0, 0), {}, wait_ms=0, max_bytes=0, partition_bytes=0)
    assert request.parse_response_header(answer).correlation_id == 5
    read = request.RESPONSE_TYPE.decode(answer)
    ordered = [part for topic, _ in by_topic for part in found if part.name[0] == topic]
    assert read == Fetched(error, session, ordered)


def batch(base: int, count: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000)
    for number in range(count):
        builder.append(number, timestamp=1, key=None, value=b"value", headers=[])
    data = bytes(builder.build())
    return base.to_bytes(8, "big") + data[8:]


def test_the_offset_behind_whole_batches_is_found_and_half_a_batch_is_none() -> None:
    one, two = batch(10, 3), batch(20, 5)
    assert next_offset(one + two) == 25
    for cut in (1, 20, len(two) - 1):
        assert next_offset(one + two[:cut]) == 13
    assert next_offset(one[:-1]) is None
    assert next_offset(b"") is None
    assert one_batch(one + two, 20) == two
    assert one_batch(one + two[:-1], 20) == b""


def test_brokers_that_are_too_old_are_named() -> None:
    request = FetchRequest((0, 0), {}, wait_ms=0, max_bytes=0, partition_bytes=0)
    assert request.prepare({1: (4, 17)}) is request
    with pytest.raises(IncompatibleBrokerVersion, match=r"older than Kafka 2\.3"):
        request.prepare({1: (0, 10)})
