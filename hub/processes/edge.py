"""The edge of a process, put together."""

from __future__ import annotations

from contextlib import AsyncExitStack

from hub.clientinfo.listing import Listing
from hub.edge.edge import Edge
from hub.onboarding.credentials import Onboarding
from hub.processes.common import Common, make_behind
from routing.exchanges import Exchanges


def make_edge(common: Common, stack: AsyncExitStack) -> Edge:
    """Not started. `stack` ends what it has beside it; ending the edge itself is its owner's."""
    onboarding = Onboarding(common.desk)
    stack.push_async_callback(onboarding.close)
    exchanges = Exchanges(common.log, source=common.name, dropped=common.metrics.exchange_dropped)
    listing = Listing(
        common.settings.public_url, common.store, lambda: common.registry.directory, common.clock.utc,
        make_behind(common),
    )  # fmt: skip
    return Edge(
        common.settings, registry=common.registry, log=common.log, client=common.client, rewriter=common.rewriter,
        onboarding=onboarding, clients=listing, known=common.store, objects=common.store, cdrs=common.store,
        signs=common.seen, probing=common.probing, metrics=common.metrics, exchanges=exchanges,
        letters=common.store.letters, clock=common.clock, rates=common.rates, breakers=common.seen.breakers,
        strained=common.widths.strained,
    )  # fmt: skip
