"""What may go wrong with the in-memory log, as decisions that a test scripts or a seed draws."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto


class Fate(Enum):
    """What becomes of a record that is published."""

    LANDS = auto()
    REFUSED = auto()
    LATE = auto()  # the publisher is told "unknown" once its time is up, and the record lands after that
    VANISHES = auto()  # the publisher is told "unknown" once its time is up, and the record never lands


@dataclass(frozen=True, slots=True)
class PublishFault:
    """`delay` in seconds: until it lands or is refused; of a LATE one, after its publisher was told."""

    fate: Fate = Fate.LANDS
    delay: float = 0.0


class Faults:
    """None at all. Each method is asked once for each call of its kind, in order."""

    def publish(self) -> PublishFault:
        return _NONE

    def commit(self) -> float:
        """Seconds until a commit is stored."""
        return 0.0

    def reply(self) -> float | None:
        """Seconds until a reply arrives; None: it is lost."""
        return 0.0


@dataclass(slots=True)
class ScriptedFaults(Faults):
    """What is in the queues happens to the next calls, one each; after that nothing goes wrong."""

    publishes: deque[PublishFault] = field(default_factory=deque)
    commits: deque[float] = field(default_factory=deque)
    replies: deque[float | None] = field(default_factory=deque)

    def publish(self) -> PublishFault:
        return self.publishes.popleft() if self.publishes else _NONE

    def commit(self) -> float:
        return self.commits.popleft() if self.commits else 0.0

    def reply(self) -> float | None:
        return self.replies.popleft() if self.replies else 0.0


@dataclass(slots=True)
class RandomFaults(Faults):
    """Drawn from `random`; the rates are shares of all calls, the delays the longest in seconds."""

    random: random.Random
    refused: float = 0.01
    late: float = 0.01
    vanishes: float = 0.01
    publish_delay: float = 0.02
    late_delay: float = 2.0
    commit_delay: float = 0.02
    reply_delay: float = 0.01
    reply_lost: float = 0.0

    def publish(self) -> PublishFault:
        draw = self.random.random()
        for fate, rate, delay in (
            (Fate.REFUSED, self.refused, self.publish_delay),
            (Fate.LATE, self.late, self.late_delay),
            (Fate.VANISHES, self.vanishes, 0.0),
        ):
            if draw < rate:
                return PublishFault(fate, self.random.uniform(0, delay))
            draw -= rate
        return PublishFault(Fate.LANDS, self.random.uniform(0, self.publish_delay))

    def commit(self) -> float:
        return self.random.uniform(0, self.commit_delay)

    def reply(self) -> float | None:
        if self.random.random() < self.reply_lost:
            return None
        return self.random.uniform(0, self.reply_delay)


_NONE = PublishFault()
