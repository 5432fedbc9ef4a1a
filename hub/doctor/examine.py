"""Everything that the doctor looks at, in the order in which it is to be mended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from hub.doctor import engines, running
from hub.doctor.finding import Finding, State, right, warning, wrong
from hub.doctor.keys import keys
from hub.settings import Settings, SettingsError, load
from hub.settings_check import judge

SETTINGS = "settings"


async def examine(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Takes some seconds where something is not reached. Changes nothing anywhere."""
    judged = judge(environment)
    found = [wrong(SETTINGS, sentence.rstrip("."), "mend the variable") for sentence in judged.wrong]
    found += [warning(SETTINGS, sentence.rstrip("."), "") for sentence in judged.warnings]
    try:
        settings = load()
    except SettingsError:
        return found
    return [*(found or [right(SETTINGS, "they can be used")]), *await _of(settings)]


async def _of(settings: Settings) -> list[Finding]:
    log, store, (answers, hub) = await asyncio.gather(
        engines.log(settings), engines.store(settings), asyncio.to_thread(running.hub, settings)
    )
    url = await asyncio.to_thread(lambda: running.public_url(settings, running=answers))
    own = engines.folder(settings) if settings.log.embedded or settings.store.embedded or settings.keys is None else []
    return [*own, *log, *store.findings, keys(settings, store.sentinels), *hub, url]


def healthy(found: list[Finding]) -> bool:
    """Whether nothing is wrong."""
    return all(one.state is not State.WRONG for one in found)
