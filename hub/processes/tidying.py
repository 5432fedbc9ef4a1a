"""Dropping what is older than is promised to be kept, once a minute."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from hub.processes.common import Common
from routing.log.port import LogError
from routing.store.port import StoreError

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0
_DAY_MS: Final = 86_400_000


async def tidy_often(common: Common) -> None:
    """Runs until it is cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        now = common.clock.utc()
        try:
            await common.log.trim()
            await common.store.expire(now, cdrs_before=now - common.settings.cdr_days * _DAY_MS)
            await common.store.archive.expire(now)
        except (LogError, StoreError) as error:
            log.warning("not_tidied", reason=str(error))
