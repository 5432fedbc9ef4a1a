"""The worker of a process, put together."""

from __future__ import annotations

from random import Random

from hub.locate import Locations
from hub.observing import Observing, watch
from hub.processes.common import Common, delivery
from hub.pulling.owners import HttpOwners
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
        resolver=DirectoryResolver(lambda: registry.directory, registry.refresh, common.seen.breakers.returned),
        locate=locations.locate, hold=locations.hold, clock=common.clock,
        random=Random(), observer=Observing(common.metrics, common.clock), owners=make_owners(common),
        settings=delivery(settings), rates=common.rates, widths=common.widths,
        member=member or common.name,
    )  # fmt: skip
    watch(common.metrics, worker, common.clock)
    return worker


def make_owners(common: Common) -> HttpOwners:
    """The way to the owners of objects that the hub knows in part only."""
    settings, registry = common.settings, common.registry
    return HttpOwners(
        client=common.client, signs=common.seen, directory=lambda: registry.directory,
        authorize=registry.authorization_for, of_one=settings.get_seconds, of_list=settings.list_seconds,
    )  # fmt: skip
