"""The archiver of a process, put together."""

from __future__ import annotations

from typing import Final

import structlog

from hub import gauges
from hub.observing import Saying
from hub.processes.common import Common
from hub.settings import Settings
from routing.archive.archiver import Archiver
from routing.archive.filing import Keeping
from routing.log.port import LogUnusable

log = structlog.get_logger(__name__)

_DAY_MS: Final = 86_400_000


def make_archiver(common: Common, member: str = "") -> Archiver | None:
    """Not started; how far it is behind is seen in the metrics. None, and said, where the topics do not allow one."""
    try:
        archiver = Archiver(
            log=common.log, archive=common.store.archive, clock=common.clock, keeping=keeping(common.settings),
            trouble=Saying("archive_trouble", common.clock), member=member or common.name,
        )  # fmt: skip
    except LogUnusable as reason:
        log.warning("no_archive", reason=str(reason))
        return None
    common.metrics.gauge(gauges.ARCHIVE_BEHIND, lambda: [((), archiver.behind)])
    return archiver


def keeping(settings: Settings) -> Keeping:
    """For how long what is archived is kept, as it is set."""
    bodies = settings.archive_body_days if settings.archive_bodies else 0
    return Keeping(settings.archive_days * _DAY_MS, bodies * _DAY_MS)
