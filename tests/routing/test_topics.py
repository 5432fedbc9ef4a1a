"""What the topics must be like, as data."""

from __future__ import annotations

from connectors.values import Module
from routing.topics import ALL, EVENT_TOPICS, EXCHANGES, OUTCOMES, PUBLIC, REPLIES, Need, needs

BODY, ANSWER = 4 * 2**20, 16 * 2**20


def by_name(partitions: int = 24) -> dict[str, Need]:
    return {need.name: need for need in needs(body_limit=BODY, answer_limit=ANSWER, partitions=partitions)}


def test_each_topic_of_events_is_one_of_a_module() -> None:
    assert {name.removeprefix("ocpi.") for name in EVENT_TOPICS} <= set(Module)


def test_others_may_read_all_but_the_replies() -> None:
    assert set(PUBLIC) == {*EVENT_TOPICS, OUTCOMES, EXCHANGES}
    assert set(ALL) == {*PUBLIC, REPLIES}
    assert list(by_name()) == list(ALL)


def test_events_are_kept_for_a_week_and_replies_for_minutes() -> None:
    found = by_name()
    assert all(found[name].retention == 7 * 86_400_000 for name in PUBLIC)
    assert found[REPLIES].retention == found[REPLIES].segment == 600_000


def test_the_largest_body_fits_with_its_envelope() -> None:
    found = by_name()
    assert all(found[name].largest == BODY + 65_536 for name in PUBLIC)
    assert found[REPLIES].largest == ANSWER + 65_536


def test_one_machine_may_be_lost_but_where_there_is_only_one() -> None:
    assert {(need.replication, need.in_sync) for need in by_name().values()} == {(3, 2)}
    alone = needs(body_limit=BODY, answer_limit=ANSWER, single_node=True)
    assert {(need.replication, need.in_sync) for need in alone} == {(1, 1)}


def test_every_topic_has_the_partitions_that_were_asked_for() -> None:
    assert {need.partitions for need in by_name().values()} == {24}
    assert {need.partitions for need in by_name(partitions=6).values()} == {6}
