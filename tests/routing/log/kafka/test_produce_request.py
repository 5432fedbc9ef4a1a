"""The Produce request as the hub packs and reads it is the protocol's: aiokafka's slower words for it agree."""

from __future__ import annotations

from collections import defaultdict
from io import BytesIO
from typing import Any

import pytest
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from hypothesis import given
from hypothesis import strategies as st

from routing.log.kafka.packed import Named
from routing.log.kafka.produce_request import Produced, ProduceRequest

named = st.tuples(st.text("abcü.", min_size=1, max_size=6), st.integers(0, 2**31 - 1))
int16, int64 = st.integers(-1, 2**15 - 1), st.integers(-1, 2**63 - 1)


def grouped(names: Any, of: Any) -> list[tuple[str, list[Any]]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for name in names:
        found[name[0]].append(of(name))
    return list(found.items())


@given(st.dictionaries(named, st.binary(max_size=50), max_size=6), st.sampled_from([1, -1]), st.integers(0, 2**31 - 1))
def test_a_request_is_packed_as_the_protocol_has_it(batches: dict[Named, bytes], acks: int, timeout: int) -> None:
    request = ProduceRequest(acks, timeout, batches)
    theirs = ProduceRequest_v7(None, acks, timeout, grouped(batches, lambda name: (name[1], batches[name])))
    assert request.encode() == theirs.encode()
    head = request.build_request_header(correlation_id=5, client_id="hub")
    assert head.encode() == theirs.build_request_header(correlation_id=5, client_id="hub").encode()


@given(st.lists(st.builds(Produced, named, int16, int64, int64), max_size=6))
def test_an_answer_is_read_as_the_protocol_has_it(found: list[Produced]) -> None:
    topics = [
        (topic, [(one.name[1], one.error, one.offset, one.append_time, 0) for one in found if one.name[0] == topic])
        for topic, _ in grouped([one.name for one in found], lambda name: name)
    ]
    answer = BytesIO((5).to_bytes(4, "big") + ProduceResponse_v7(topics, 0).encode())
    request = ProduceRequest(1, 0, {})
    assert request.parse_response_header(answer).correlation_id == 5
    assert sorted(request.RESPONSE_TYPE.decode(answer)) == sorted(found)


def test_brokers_that_are_too_old_are_named_so() -> None:
    with pytest.raises(IncompatibleBrokerVersion, match=r"older than Kafka 2\.3"):
        ProduceRequest(1, 0, {}).prepare({ProduceRequest.API_KEY: (0, 6)})
