"""One change of a platform's record as an operator asks for it: all of it, or the word that somebody was faster."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from hub.onboarding.desk import Desk, told
from hub.operator.requests import ChangedMeanwhile
from routing.directory import Platform
from routing.store.port import Conflict

EDITS_AT_ARRIVAL = web.RequestKey("edits_at_arrival", int)
"""What `Registry.edits` said when the request came."""


async def edited(
    desk: Desk,
    request: web.Request,
    platform: Platform,
    decide: Callable[[Platform], Platform],
    *,
    revision: int | None = None,
) -> Platform:
    """The record as it is now. Raises ChangedMeanwhile, and what `told` makes of the rest."""
    with told():
        try:
            return await desk.registry.edit(platform.id, decide, revision=revision, since=request.get(EDITS_AT_ARRIVAL))
        except Conflict as lost:
            raise ChangedMeanwhile(lost.current) from None
