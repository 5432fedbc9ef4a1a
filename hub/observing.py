"""What the worker tells: outcomes to the metrics, trouble to the logging, the same sentence once a while."""

from __future__ import annotations

import structlog

from hub import gauges
from hub.counts import Labels
from hub.metrics import LaneDepth, Metrics
from routing.clock import Clock
from routing.custody import Held
from routing.deadletters import Reason
from routing.policy import Outcome
from routing.worker.worker import Worker

log = structlog.get_logger(__name__)

_HELD: tuple[Held, ...] = tuple(held for held in Held if held is not Held.ENDED)
_AGAIN_AFTER = 10.0
_REMEMBERED = 100


class Saying:
    """Troubles to the logging, under the name of this event; the same sentence once a while."""

    def __init__(self, event: str, clock: Clock) -> None:
        self._event = event
        self._clock = clock
        self._said: dict[str, float] = {}

    def __call__(self, sentence: str) -> None:
        now = self._clock.monotonic()
        if now - self._said.get(sentence, float("-inf")) < _AGAIN_AFTER:
            return
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[sentence] = now
        log.warning(self._event, reason=sentence)


class Observing:
    """The worker's observer in a running hub."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self.trouble = Saying("worker_trouble", clock)

    def settled(self, module: str, outcome: Outcome, count: int = 1) -> None:
        self._metrics.delivery(module, outcome, count)

    def set_aside(self, topic: str) -> None:
        self._metrics.set_aside(topic)

    def dead_letter(self, reason: Reason) -> None:
        self._metrics.dead_letter(reason)

    def resynced(self, module: str, outcome: Outcome) -> None:
        self._metrics.resynced(module, outcome)


def watch(metrics: Metrics, worker: Worker, clock: Clock) -> None:
    """Let the scrape see the lanes and the marks of this worker, and how far it is behind."""
    metrics.watch(
        lanes=lambda: [
            LaneDepth(lane.platform, lane.waiting, sum(lane.begun_now.values()))
            for lane in worker.delivery.lanes.values()
        ],
        marks=worker.marks.by_platform,
    )
    delivery = worker.delivery
    metrics.gauge(gauges.CONCURRENCY, lambda: [((id,), float(delivery.at_once(id))) for id in list(delivery.lanes)])
    metrics.gauge(gauges.CUSTODY, lambda: _custody(worker))
    metrics.gauge(gauges.CUSTODY_OLDEST, lambda: _oldest(worker, clock.utc()))
    metrics.gauge(gauges.BEHIND, lambda: [((), worker.behind)])
    metrics.gauge(gauges.UNSETTLED, lambda: [((), worker.unsettled())])


def _custody(worker: Worker) -> list[tuple[Labels, float]]:
    found: dict[Held, int] = dict.fromkeys(_HELD, 0)
    for one in worker.custody.counts:
        found[one.held] += one.count
    return [((held.value,), count) for held, count in found.items()]


def _oldest(worker: Worker, now: int) -> list[tuple[Labels, float]]:
    found: dict[Held, int] = dict.fromkeys(_HELD, now)
    for one in worker.custody.counts:
        found[one.held] = min(found[one.held], one.oldest)
    return [((held.value,), (now - since) / 1000) for held, since in found.items()]
