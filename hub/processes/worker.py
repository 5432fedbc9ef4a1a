"""The worker of a process, put together."""

from __future__ import annotations

from random import Random

from hub.locate import Locations
from hub.observing import Observing, watch
from hub.processes.common import Common, settle_most
from hub.settings import Settings
from routing.policy import DeliverySettings
from routing.resolving import DirectoryResolver
from routing.sender import HttpSender
from routing.topics import EVENT_TOPICS
from routing.worker.worker import Worker


def make_worker(common: Common, member: str = "") -> Worker:
    """Not started; its lanes and marks are seen in the metrics. `member` is its name in the group, if it has one."""
    settings, registry = common.settings, common.registry
    locations = Locations(common.rewriter, common.clock, days=settings.cdr_days, directory=lambda: registry.directory)
    worker = Worker(
        log=common.log, store=common.store, topics=EVENT_TOPICS, hub=settings.party,
        sender=HttpSender(common.client, registry.authorization_for, common.seen, common.seen.breakers),
        resolver=DirectoryResolver(lambda: registry.directory, registry.refresh),
        locate=locations.locate, hold=locations.hold, clock=common.clock,
        random=Random(), observer=Observing(common.metrics, common.clock), settings=delivery(settings),
        rates=common.rates,
        member=member or common.name,
    )  # fmt: skip
    watch(common.metrics, worker, common.clock)
    return worker


def delivery(settings: Settings) -> DeliverySettings:
    """The bounds of delivery as they are set."""
    return DeliverySettings(
        connect=settings.connect_seconds,
        broadcasts_at_once=settings.lane_concurrency,
        waiting_most=settings.lane_max_waiting,
        unsettled_most=settings.unsettled_seconds,
        undelivered_bytes=settings.undelivered_bytes,
        unwritten_most=settings.unwritten_states,
        unwritten_bytes=settings.unwritten_bytes,
        settle=settle_most(settings),
    )
