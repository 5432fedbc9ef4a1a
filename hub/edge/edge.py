"""The edge as one thing: put together, started, drained and closed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Final

from hub.edge.asking import Asking
from hub.edge.authenticate import Authenticator
from hub.edge.getall import GetAll
from hub.edge.limits import Limits
from hub.edge.opening import Opening
from hub.edge.own import Own
from hub.edge.pipeline import Pipeline
from hub.edge.ports import (
    Clients,
    Credentials,
    Directories,
    Known,
    Objects,
    Outbound,
    Probes,
    Remembered,
    Signs,
    UrlRewriter,
)
from hub.edge.protocol import Patience
from hub.edge.push import Push
from hub.edge.readback import ReadBack
from hub.edge.relay import Relay
from hub.edge.rewriting import Rewriting
from hub.edge.server import HttpServer
from hub.edge.undelivered import Undelivered
from hub.edge.waiting import Waiting
from hub.metrics import Metrics
from hub.settings import Settings
from routing.breaker import Breakers
from routing.clock import Clock, SystemClock
from routing.exchanges import Exchanges
from routing.log.port import Log
from routing.rates import Rates
from routing.store.deadletters import DeadLetters

LINGER_SECONDS: Final = 1.0
"""How long an edge that drains goes on answering on connections that callers keep."""


class Edge:
    """The OCPI edge of one process. Everything given is started before, and closed after it, by who made it."""

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Directories,
        log: Log,
        client: Outbound,
        rewriter: UrlRewriter,
        onboarding: Credentials,
        clients: Clients,
        known: Known,
        objects: Objects,
        cdrs: Remembered,
        signs: Signs,
        probing: Probes,
        metrics: Metrics,
        exchanges: Exchanges,
        letters: DeadLetters,
        clock: Clock | None = None,
        rates: Rates | None = None,
        breakers: Breakers | None = None,
        strained: Callable[[str, float], None] = lambda platform, begun: None,
    ) -> None:
        clock = clock or SystemClock()
        self._settings = settings
        self._registry = registry
        self._log = log
        self._exchanges = exchanges
        self.waiting = Waiting()
        self.limits = Limits(settings)
        self._getall = GetAll(settings, objects, clock)
        rewriting = Rewriting(rewriter, clock)
        undelivered = Undelivered(letters, clock, metrics.dead_letter)
        relay = Relay(
            settings, registry, client, rewriting, exchanges, signs, clock, undelivered=undelivered, rates=rates,
            breakers=breakers, strained=strained,
        )  # fmt: skip
        pipeline = Pipeline(
            registry=registry,
            authenticator=Authenticator(registry, onboarding, signs),
            own=Own(settings.public_url, registry, onboarding, clients),
            rewriting=rewriting,
            readback=ReadBack(cdrs, rewriting),
            relay=relay,
            push=Push(settings, log, self.waiting, clock, store_trouble=registry.store_trouble),
            opening=Opening(known, clock),
            getall=self._getall,
            asking=Asking(relay, clock) if settings.ask_for_unknown_tokens else None,
            probing=probing,
            metrics=metrics,
            clock=clock,
            limits=self.limits,
            max_body_bytes=settings.max_body_bytes,
        )
        self.server = HttpServer(
            pipeline.answer,
            clock,
            Patience(settings.header_seconds, settings.idle_seconds, settings.body_seconds),
        )
        self._draining = False

    async def start(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Position the replies, then listen, on `sockets` where they are given.

        Raises OSError when the address is taken, and LogError.
        """
        await self.waiting.open(self._log)
        await self.server.start(self._settings.host, self._settings.port, sockets)
        self._exchanges.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self.server.port

    def ready(self) -> str | None:
        """Why calls cannot be served now, as a sentence; None when they can."""
        if self._draining:
            return "the edge is draining"
        if self.waiting.reply_to is None:
            return "the edge is not positioned on the replies of the log yet"
        return self._log.trouble() or self._registry.trouble()

    async def drain(self, seconds: float) -> bool:
        """Stop accepting and wait at most so long for what is in flight; whether all of it ended."""
        self._draining = True
        # Where the log is shared other edges take the calls meanwhile, and nobody should notice the change.
        return await self.server.drain(seconds, linger=0.0 if self._settings.log.embedded else LINGER_SECONDS)

    async def close(self) -> None:
        """Close every connection, and publish the exchanges that still wait."""
        self._draining = True
        await self.server.close()
        await self._getall.close()
        await self._exchanges.close()
