"""What reads the lists of platforms, put together."""

from __future__ import annotations

from hub.processes.common import Common, make_behind
from hub.pulling.puller import Puller
from hub.pulling.reader import Reader


def make_puller(common: Common) -> Puller:
    """Not running; it is the same in every process, and the store's lease says which one reads."""
    settings, registry = common.settings, common.registry
    reader = Reader(
        store=common.store, log=common.log, client=common.client, signs=common.seen,
        directory=lambda: registry.directory, authorize=registry.authorization_for, clock=common.clock,
        within=settings.list_seconds,
    )  # fmt: skip
    return Puller(
        common.store, registry, reader, common.clock, name=common.name, first=settings.pull,
        daily=settings.pull_daily, behind=make_behind(common),
    )  # fmt: skip
