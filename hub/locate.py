"""The Location of a CDR at its eMSP becomes one of the hub's, which only its sender can use (OCPI 2.2.1, 10.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

import structlog

from connectors.client.origins import known
from connectors.errors import OcpiError
from connectors.values import InterfaceRole, Module
from hub import held
from hub.rewriter import Rewriter
from hub.sealed import Rewrite
from routing.clock import Clock
from routing.directory import Directory, Hosted
from routing.event import Event
from routing.store.port import CdrKey

log = structlog.get_logger(__name__)

_PATH = "ocpi/2.2.1/receiver/cdrs"
_DAY_MS = 86_400_000


class Locations:
    """Rewrites Locations; `days` is how long they live, as long as the hub remembers the CDR."""

    def __init__(self, rewriter: Rewriter, clock: Clock, *, days: int, directory: Callable[[], Directory]) -> None:
        self._rewriter = rewriter
        self._directory = directory
        self._clock = clock
        self._life = days * _DAY_MS

    async def locate(self, event: Event, to: Hosted, location: str) -> str | None:
        """The hub's URL; None, and a line in the logging, for one that must not be given on (promise 12)."""
        endpoint = to.platform.endpoint(Module.CDRS, InterfaceRole.RECEIVER)
        # 2.1.1 allows a relative one, and some peers keep the habit
        try:
            url = urljoin(endpoint.url, location) if endpoint is not None else location
            if not known(url, to.platform.known_origins):
                log.warning("location_elsewhere", party=str(to.party.id), correlation_id=event.correlation_id)
                return None
            expires = self._clock.utc() + self._life
            rewrite = Rewrite("cdr", event.platform, to.platform.id, url, expires, to.party.id, event.sender)
            return await self._rewriter.rewrite("cdr", _PATH, rewrite)
        except (OcpiError, ValueError) as error:
            # the CDR was taken and must be remembered as taken, whatever its Location is
            log.warning("location_not_rewritten", reason=str(error), correlation_id=event.correlation_id)
            return None

    async def hold(self, event: Event) -> str | None:
        """The hub's URL of a CDR that it holds; None, and a line in the logging, where it cannot make one.

        What is behind it is a name for the hub itself, below an origin of the one who will use it.
        """
        there = self._directory().platforms.get(event.platform)
        if there is None or event.audience is None:
            return None
        key = CdrKey(event.owner, event.object_id.upper(), event.audience)
        expires = self._clock.utc() + self._life
        try:
            url = held.name(there.versions_url, key)
            rewrite = Rewrite("cdr", there.id, there.id, url, expires, event.sender, event.sender)
            return await self._rewriter.rewrite("cdr", _PATH, rewrite)
        except (OcpiError, ValueError) as error:
            log.warning("location_not_made", reason=str(error), correlation_id=event.correlation_id)
            return None
