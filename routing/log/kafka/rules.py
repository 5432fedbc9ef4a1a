"""What a topic must be like, in Kafka's words, and where one that is there differs from it. Values only, no cluster.

What breaks a promise is fatal: a hub does not start on it. The rest is a warning. Every difference says how to mend it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from routing.log.kafka.difference import Difference, Tools, sentences
from routing.topics import ENVELOPE_BYTES, Need

EPOCH: Final = "delete.retention.ms"
"""Where the epoch of a topic is kept: Kafka uses it for compacted topics only, and ours are none."""

FOREIGN_EPOCH: Final = 86_400_000
"""Kafka's own default of it: the epoch of a topic that something else than `topics create` made."""

CREATE: Final = "ocpi-hub topics create"
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as a cluster has it; `replication` is that of its least replicated partition."""

    partitions: int
    replication: int
    config: Mapping[str, str]

    @property
    def epoch(self) -> int:
        """The epoch of the positions in it."""
        return int(self.config.get(EPOCH) or FOREIGN_EPOCH)


def config(need: Need, *, epoch: int) -> dict[str, str]:
    """The settings that a topic is made with: all that matters, whatever the cluster's defaults are."""
    settings = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(need.retention),
        "retention.bytes": "-1",
        "max.message.bytes": str(need.largest),
        "min.insync.replicas": str(need.in_sync),
        "unclean.leader.election.enable": "false",
        EPOCH: str(epoch),
    }
    if need.segment is not None:
        settings["segment.ms"] = str(need.segment)
    return settings


@dataclass(frozen=True, slots=True)
class _Rule:
    """One setting: whether it holds, whether it is fatal where it does not, and why."""

    name: str
    holds: Callable[[str, Need], bool]
    fatal: Callable[[str, Need], bool]
    why: str


def _events(_value: str, need: Need) -> bool:
    return need.events


def _never(_value: str, _need: Need) -> bool:
    return False


def _kept(value: str, at_least: int) -> bool:
    return int(value) < 0 or int(value) >= at_least


_RULES: Final = (
    _Rule(
        "cleanup.policy",
        lambda value, _: "compact" not in value,
        lambda _value, _need: True,
        "compaction drops records that later ones build on, and that were dropped already do not come back",
    ),
    _Rule(
        "message.timestamp.type",
        lambda value, _: value == "LogAppendTime",
        _events,
        "whether an event was accepted in time is decided on the append time",
    ),
    _Rule(
        "max.message.bytes",
        lambda value, need: int(value) >= need.largest,
        _events,
        f"the largest body that the hub takes, and {ENVELOPE_BYTES // 1024} KiB beside it, must fit",
    ),
    _Rule(
        "min.insync.replicas",
        lambda value, need: int(value) >= need.in_sync,
        _events,
        "what was acknowledged would be lost with one machine (a cluster of one is named by single_node=true)",
    ),
    _Rule(
        "unclean.leader.election.enable",
        lambda value, need: value == "false" or need.replication == 1,
        _events,
        "a replica that lags may become the leader, and what was acknowledged is lost",
    ),
    _Rule(
        "retention.ms",
        lambda value, need: _kept(value, need.retention),
        lambda value, need: need.events and not _kept(value, _DAY_MS),
        "what is older is gone, also where a party still has to be brought up to date with it",
    ),
    _Rule(
        "retention.bytes",
        lambda value, _: int(value) < 0,
        _never,
        "what does not fit is gone, however young it is",
    ),
)


def differences(need: Need, found: Found, tools: Tools) -> list[Difference]:
    """In what a topic that is there differs, but for its partitions. `need.name` is its whole name."""
    wanted = config(need, epoch=0)
    different = [
        Difference(
            need.name, rule.name, wanted[rule.name], value, rule.fatal(value, need), rule.why,
            command=tools.config(need.name, rule.name, wanted[rule.name]),
        )
        for rule in _RULES
        if (value := found.config.get(rule.name)) is not None and not rule.holds(value, need)
    ]  # fmt: skip
    if found.replication < need.replication:
        different.append(
            Difference(
                need.name, "the replication factor", str(need.replication), str(found.replication), need.events,
                "what was acknowledged would be lost with one machine (a cluster of one is named by single_node=true)",
                f"give it replicas with kafka-reassign-partitions.sh; or, while no hub runs and if nothing on it is "
                f"needed, delete the topic and run `{CREATE}`",
            )
        )  # fmt: skip
    in_sync = int(found.config.get("min.insync.replicas", need.in_sync))
    if need.in_sync <= in_sync and found.replication < in_sync:
        different.append(
            Difference(
                need.name, "min.insync.replicas", str(need.in_sync), str(in_sync), True,
                f"with a replication factor of {found.replication} nothing can be published",
                command=tools.config(need.name, "min.insync.replicas", str(need.in_sync)),
            )
        )  # fmt: skip
    if found.epoch == FOREIGN_EPOCH:
        different.append(
            Difference(
                need.name, f"its epoch ({EPOCH})", "the time of its creation", f"Kafka's default {FOREIGN_EPOCH}",
                False,
                "a topic that is deleted and made anew must have a higher one than before",
                "each time that it was made, before a hub uses it", tools.config(need.name, EPOCH, "$(date +%s%3N)"),
            )
        )  # fmt: skip
    return different


def usual(needs: Iterable[Need], found: Mapping[str, Found]) -> int | None:
    """How many partitions most event topics have, of two equally usual numbers the larger; None: there are none."""
    counts = Counter(found[need.name].partitions for need in needs if need.events and need.name in found)
    return max(counts, key=lambda count: (counts[count], count), default=None)


def uneven(needs: Sequence[Need], found: Mapping[str, Found], tools: Tools) -> list[Difference]:
    """The event topics that have not as many partitions as most.

    None is given more: the keys that move to a new partition would have older records in the partition they had.
    """
    wanted = usual(needs, found)
    return [
        Difference(
            need.name, "the number of partitions", str(wanted), str(count), True, "all event topics have the same",
            "drain and stop the hub as for more partitions (deploy/README.md), then",
            f"{tools.delete(need.name)} && {CREATE}",
        )
        for need in needs
        if need.events and need.name in found and (count := found[need.name].partitions) != wanted
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of all topics of a hub together."""

    missing: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def fatal(self) -> list[str]:
        """Why a hub must not start: sentences with the way out."""
        missing = [f"missing on Kafka: {', '.join(self.missing)}. Make them: {CREATE}"] if self.missing else []
        return missing + sentences(one for one in self.differences if one.fatal)

    @property
    def warnings(self) -> list[str]:
        """What works, but not as well as it should: sentences with the way out."""
        return sentences(one for one in self.differences if not one.fatal)


def judge(needs: Sequence[Need], found: Mapping[str, Found], tools: Tools) -> Judged:
    """All that is missing or differs; `needs` and `found` by whole names."""
    missing = tuple(need.name for need in needs if need.name not in found)
    different = [one for need in needs if need.name in found for one in differences(need, found[need.name], tools)]
    return Judged(missing, (*different, *uneven(needs, found, tools)))
