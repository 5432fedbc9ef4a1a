"""Who of a group reads which partitions. Pure: what the leader of a round of joining computes.

Kafka's classic group protocol stops everybody at each change: all give up what they hold, join again, and are given
what the leader deals. Here nobody gives anything up to join. Each member says what it holds, the leader gives nothing
away that another member holds, and whoever is not given what it holds settles it, lets it go and joins again; the
round that this begins gives it to its new owner. So a change costs two rounds, and only partitions that move stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from routing.log.port import TopicPartition


@dataclass(frozen=True, slots=True)
class Member:
    """One member as it joins. `name` is its own (members are dealt to in the order of names), `topics` what it reads.

    `holds` is what it holds, as of `generation`.
    """

    name: str
    topics: frozenset[str]
    generation: int = -1
    holds: frozenset[TopicPartition] = field(default_factory=frozenset)


def deal(members: Mapping[str, Member], partitions: int) -> dict[str, list[TopicPartition]]:
    """What each member (by its id) is given in this round; every topic has `partitions` partitions.

    Balanced within each topic and over all; a member keeps what it holds as far as its share goes; what another member
    holds is given to nobody yet.
    """
    holders = _holders(members)
    given: dict[str, list[TopicPartition]] = {member: [] for member in members}
    shift = 0
    by_name = sorted(members, key=lambda member: (members[member].name, member))
    for topic in sorted({topic for member in members.values() for topic in member.topics}):
        readers = [member for member in by_name if topic in members[member].topics]
        shares = _shares(readers, partitions, shift)
        shift += partitions % len(readers)
        for member, tps in _target(topic, partitions, shares, holders).items():
            given[member] += [tp for tp in tps if holders.get(tp, member) == member]
    return given


def _holders(members: Mapping[str, Member]) -> dict[TopicPartition, str]:
    """Whose each partition is: of several who say that they hold it, the one who was told so last."""
    holders: dict[TopicPartition, str] = {}
    for member in sorted(members, key=lambda m: (members[m].generation, m)):
        holders.update(dict.fromkeys(members[member].holds, member))
    return holders


def _shares(readers: Sequence[str], partitions: int, shift: int) -> dict[str, int]:
    """How many partitions of a topic each gets. It depends on nobody's holdings, so that two rounds agree on it; the
    turn at getting one more passes on from topic to topic, so that nobody has it everywhere."""
    least, more = divmod(partitions, len(readers))
    favoured = {readers[(shift + number) % len(readers)] for number in range(more)}
    return {member: least + (member in favoured) for member in readers}


def _target(
    topic: str, partitions: int, shares: Mapping[str, int], holders: Mapping[TopicPartition, str]
) -> dict[str, list[TopicPartition]]:
    """Who shall have each partition in the end: holders keep theirs up to their share, the rest fills the others'."""
    target: dict[str, list[TopicPartition]] = {member: [] for member in shares}
    free: list[TopicPartition] = []
    for partition in range(partitions):
        tp = TopicPartition(topic, partition)
        holder = holders.get(tp, "")
        if len(target.get(holder, ())) < shares.get(holder, 0):
            target[holder].append(tp)
        else:
            free.append(tp)
    for member, share in shares.items():
        for _ in range(share - len(target[member])):
            target[member].append(free.pop(0))
    return target
