"""Who is given what, whoever holds what: balanced, sticky, nothing from under a holder, done in two rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from routing.log.kafka.assignor import Member, deal
from routing.log.port import TopicPartition

Group = dict[str, Member]
TOPICS = frozenset({"cdrs", "locations", "sessions", "tariffs"})


def group(*names: str, topics: frozenset[str] = TOPICS) -> Group:
    return {f"id-{name}": Member(name, topics) for name in names}


def everything(members: Mapping[str, Member], partitions: int) -> set[TopicPartition]:
    topics = {topic for member in members.values() for topic in member.topics}
    return {TopicPartition(topic, partition) for topic in topics for partition in range(partitions)}


def play(members: Group, partitions: int, generation: int) -> Group:
    """One round: each lets go of what it was not given, and holds what it was."""
    dealt = deal(members, partitions)
    return {id: replace(member, holds=frozenset(dealt[id]), generation=generation) for id, member in members.items()}


def settled(members: Group, partitions: int) -> Group:
    return play(play(members, partitions, 1), partitions, 2)


def moved(before: Group, after: Group) -> set[TopicPartition]:
    return {tp for id, member in before.items() for tp in member.holds - after.get(id, member).holds}


@st.composite
def groups(draw: st.DrawFn) -> tuple[Group, int]:
    """Members that hold anything at all, also what others hold, or what there is not."""
    partitions = draw(st.integers(1, 9))
    tps = st.frozensets(st.builds(TopicPartition, st.sampled_from(["a", "b", "c", "gone"]), st.integers(0, 10)))
    member = st.builds(
        Member,
        st.sampled_from(["w1", "w2", "w3"]),
        st.frozensets(st.sampled_from(["a", "b", "c"]), min_size=1),
        st.integers(-1, 5),
        tps,
    )
    return draw(st.dictionaries(st.text("xyz", min_size=1, max_size=3), member, min_size=1, max_size=6)), partitions


@given(groups())
def test_nothing_is_given_twice_or_to_who_does_not_read_it(drawn: tuple[Group, int]) -> None:
    members, partitions = drawn
    dealt = deal(members, partitions)
    counted = Counter(tp for tps in dealt.values() for tp in tps)
    assert set(counted.values()) <= {1}
    assert set(counted) <= everything(members, partitions)
    assert all(tp.topic in members[id].topics for id, tps in dealt.items() for tp in tps)


@given(groups())
def test_what_a_member_holds_is_given_to_nobody_else(drawn: tuple[Group, int]) -> None:
    """Of several who say so the one with the newest generation is believed, and given it or nobody is."""
    members, partitions = drawn
    dealt = deal(members, partitions)
    for id, tps in dealt.items():
        for tp in tps:
            holders = [other for other, member in members.items() if tp in member.holds]
            if holders:
                assert id in holders
                assert members[id].generation == max(members[holder].generation for holder in holders)


@given(groups())
def test_two_rounds_give_everything_out_in_balance_and_a_third_changes_nothing(drawn: tuple[Group, int]) -> None:
    members, partitions = drawn
    first = play(members, partitions, 6)
    second = play(first, partitions, 7)
    assert moved(first, second) == set()
    assert {tp for member in second.values() for tp in member.holds} == everything(members, partitions)
    for topic in {topic for member in members.values() for topic in member.topics}:
        counts = [sum(tp.topic == topic for tp in member.holds) for member in second.values() if topic in member.topics]
        assert max(counts) - min(counts) <= 1
    assert play(second, partitions, 8) == {id: replace(member, generation=8) for id, member in second.items()}


@given(st.integers(1, 7), st.integers(1, 30))
def test_all_together_are_in_balance_too(count: int, partitions: int) -> None:
    members = settled(group(*(f"w{number}" for number in range(count))), partitions)
    counts = [len(member.holds) for member in members.values()]
    assert max(counts) - min(counts) <= 1


@given(st.integers(1, 6), st.integers(1, 24))
def test_who_joins_takes_its_share_and_nothing_else_moves(count: int, partitions: int) -> None:
    names = [f"w{number}" for number in range(count)]
    before = settled(group(*names), partitions)
    joining = before | group(f"w{count}")
    first = play(joining, partitions, 3)
    after = play(first, partitions, 4)
    gained = after[f"id-w{count}"].holds
    assert gained <= moved(before, after)
    # one partition of a topic may have to move besides, where they do not divide evenly
    assert len(moved(before, after) - gained) <= len(TOPICS) * (partitions % count > 0) * count


def test_where_they_divide_evenly_only_the_joiners_share_moves() -> None:
    before = settled(group("w1", "w2"), 24)
    first = play(before | group("w3"), 24, 3)
    after = play(first, 24, 4)
    assert moved(before, after) == after["id-w3"].holds
    assert {len(member.holds) for member in after.values()} == {32}


def test_who_joins_gets_nothing_before_it_was_let_go() -> None:
    before = settled(group("w1"), 24)
    dealt = deal(before | group("w2"), 24)
    assert dealt["id-w2"] == []
    assert len(dealt["id-w1"]) == 48


def test_who_is_gone_leaves_its_partitions_to_the_others_at_once() -> None:
    before = settled(group("w1", "w2"), 24)
    left = {"id-w1": before["id-w1"]}
    after = play(left, 24, 3)
    assert before["id-w1"].holds < after["id-w1"].holds
    assert len(after["id-w1"].holds) == 96


def test_the_order_of_names_decides_not_that_of_ids() -> None:
    one = deal({"a": Member("w1", TOPICS), "b": Member("w2", TOPICS)}, 3)
    other = deal({"b": Member("w1", TOPICS), "a": Member("w2", TOPICS)}, 3)
    assert one == {"a": other["b"], "b": other["a"]}


def test_a_topic_that_only_a_newer_member_reads_is_its_own() -> None:
    members = {"old": Member("w1", frozenset({"a"})), "new": Member("w2", frozenset({"a", "b"}))}
    dealt = deal(members, 4)
    assert [tp.topic for tp in dealt["new"]].count("b") == 4
    assert len(dealt["old"]) == 2


def test_the_turn_at_one_more_passes_on() -> None:
    members = settled(group("w1", "w2"), 3)
    counts = [
        [sum(tp.topic == topic for tp in member.holds) for topic in sorted(TOPICS)] for member in members.values()
    ]
    assert counts == [[2, 1, 2, 1], [1, 2, 1, 2]]
    assert all(left != right for row in counts for left, right in pairwise(row))
