"""What members tell one another comes back as it was; what others say breaks nothing."""

from __future__ import annotations

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as Assignment
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata as Metadata
from hypothesis import given
from hypothesis import strategies as st

from routing.log.kafka.assignor import Member
from routing.log.kafka.group_protocol import Given, read_given, read_member, write_given, write_member
from routing.log.port import TopicPartition

names = st.text(st.characters(codec="utf-8"), max_size=8)
tps = st.frozensets(st.builds(TopicPartition, names, st.integers(0, 1000)), max_size=8)


@given(st.builds(Member, names, st.frozensets(names, max_size=5), st.integers(-1, 2**31 - 1), tps))
def test_a_member_comes_back_as_it_was(member: Member) -> None:
    assert read_member(write_member(member)) == member


@given(st.builds(Given, tps, names, st.frozensets(names, max_size=5), st.booleans()))
def test_what_is_given_comes_back_as_it_was(given: Given) -> None:
    assert read_given(write_given(given)) == given


@given(st.binary(max_size=200))
def test_a_member_that_says_anything_at_all_holds_nothing(said: bytes) -> None:
    assert read_member(said).holds == frozenset()
    assert read_member(Metadata(0, ["a"], said).encode()).topics == {"a"}


@pytest.mark.parametrize("said", [b"{}", b"[]", b"1", b'{"name":1,"generation":"x","holds":{}}', b'{"holds":[]}'])
def test_a_member_of_another_kind_is_believed_its_topics(said: bytes) -> None:
    member = read_member(Metadata(0, ["a"], said).encode())
    assert member.topics == {"a"}
    assert member.holds == frozenset()


def test_nothing_given_is_nothing() -> None:
    assert read_given(b"") == Given()


@pytest.mark.parametrize("said", [b"", b"{}", b"[]", b"nonsense"])
def test_what_another_kind_of_leader_gives_is_an_error(said: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_given(Assignment(0, [("a", [0])], said).encode())
