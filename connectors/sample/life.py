"""The life that `make run` shows: what the sample parties publish, and the stories of cars that charge.

A CPO broadcasts its tariffs and locations; drivers plug in and are authorised in real time, or are sent by
START_SESSION; each session is PUT, PATCHed with its periods, completed and billed by a CDR, and the EVSE's status
follows. An eMSP broadcasts its tokens, then looks at chargers and starts and stops sessions by command.
"""

from __future__ import annotations

import asyncio

from connectors.sample.cpo_life import CpoLife
from connectors.sample.data import SEED
from connectors.sample.emsp_life import EmspLife
from connectors.sample.platform import SamplePlatform
from connectors.values import Role


async def live(platform: SamplePlatform, *, events_per_second: float = 2.0, seed: int = SEED) -> None:
    """Live as every role that the platform hosts; ends only by cancellation."""
    roles = {party.role for party in platform.parties}
    async with asyncio.TaskGroup() as group:
        if Role.CPO in roles:
            group.create_task(CpoLife(platform, events_per_second=events_per_second, seed=seed).run())
        if Role.EMSP in roles:
            group.create_task(EmspLife(platform, events_per_second=events_per_second, seed=seed).run())
