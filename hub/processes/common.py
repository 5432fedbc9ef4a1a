"""What edge, worker and operator port of one process share: engines, keys, directory, the way out to platforms."""

from __future__ import annotations

import os
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from connectors.client.client import Client
from connectors.client.holding import Holding
from hub import gauges
from hub import keys as hub_keys
from hub.clientinfo.behind import Behind
from hub.connection.living import Living
from hub.connection.probing import Probing
from hub.connection.seen import Seen
from hub.keys import Keys
from hub.metrics import Metrics
from hub.onboarding.desk import Desk, Identity
from hub.onboarding.handshake import Handshake
from hub.processes.engines import make_folder, open_engines
from hub.processes.parts import CannotServe
from hub.registry import Registry
from hub.rewriter import Rewriter
from hub.settings import Settings
from routing.clock import Clock
from routing.directory import Directory
from routing.log.port import Log
from routing.policies import Terms
from routing.policy import DeliverySettings
from routing.rates import Rates
from routing.store.port import Store, StoreError
from routing.worker.widths import Widths

LEAST_SETTLE: Final = 2.0
"""Seconds that a worker has at least to give up its partitions when its process ends."""

KAFKA_SETTLE: Final = 2.5
"""The same where others wait for them: what it began is then ended or cut off, so nothing stands still for long."""

_AFTER_SETTLE: Final = 2.0  # what is cut off is answered for, written and committed


@dataclass(frozen=True, slots=True)
class Common:
    """All of it started; `name` is the process's own, and no other's."""

    settings: Settings
    clock: Clock
    name: str
    log: Log
    store: Store
    registry: Registry
    client: Client
    desk: Desk
    rewriter: Rewriter
    metrics: Metrics
    seen: Seen
    probing: Probing
    living: Living
    rates: Rates
    widths: Widths


async def open_common(
    settings: Settings, clock: Clock, metrics: Metrics, stack: AsyncExitStack, *, named: bool = False
) -> Common:
    """Start it; `stack` ends it again. `named`: its worker's name comes back. Raises CannotServe with a sentence."""
    settle = settle_most(settings) + _AFTER_SETTLE
    engines = await open_engines(settings, stack, settle=settle, named=named)
    metrics.gauge(
        gauges.AWAY,
        lambda: [
            (("log",), float(engines.log.trouble() is not None)),
            (("store",), float(engines.store.trouble() is not None)),
        ],
    )
    keys = await find_keys(settings, engines.store)
    registry = Registry(
        engines.store,
        keys,
        hub=settings.party,
        default=settings.default_effect,
        terms=Terms(attempt_seconds=settings.broadcast_seconds),
    )
    try:
        await registry.start()
    except StoreError as error:
        raise CannotServe(f"the store went away during the start ({error}): start it again") from error
    stack.push_async_callback(registry.stop)
    client = Client(
        settings.allow_networks,
        connect_timeout=settings.connect_seconds,
        body_limit=settings.max_answer_bytes,
        held=Holding(settings.max_inflight_bytes, settings.platform_inflight_bytes),
    )
    await client.start()
    stack.push_async_callback(client.close)
    handshake = Handshake(
        client, within=settings.handshake_seconds, allow_networks=settings.allow_networks, own=settings.public_url
    )
    seen = Seen(registry, clock)
    probing = Probing(client, registry, seen, clock)
    seen.breakers.ask = probing.soon
    name = f"{socket.gethostname()}-{os.getpid()}"
    living = Living(engines.store, clock, name)
    stack.push_async_callback(probing.close)
    return Common(
        settings=settings,
        clock=clock,
        name=name,
        log=engines.log,
        store=engines.store,
        registry=registry,
        client=client,
        desk=Desk(registry, keys, handshake, Identity.of(settings)),
        rewriter=Rewriter(keys, engines.store, settings.public_url),
        metrics=metrics,
        seen=seen,
        probing=probing,
        living=living,
        rates=Rates(lambda platform: rate_of(registry.directory, platform), lambda: living.count, clock.monotonic),
        widths=Widths(delivery(settings), clock),
    )


def make_behind(common: Common) -> Behind:
    """What learns who is behind other hubs."""
    return Behind(
        common.store, common.registry, common.client, common.seen, common.clock, within=common.settings.list_seconds
    )


def rate_of(directory: Directory, platform: str) -> float | None:
    """The requests a second that its operator limits a platform to, for the whole hub."""
    known = directory.platforms.get(platform)
    return None if known is None else known.settings.rate


def settle_most(settings: Settings) -> float:
    """Seconds that a worker has at most to end what it began with partitions that it gives up."""
    return settings.drain_seconds if settings.log.embedded else KAFKA_SETTLE


def delivery(settings: Settings) -> DeliverySettings:
    """The bounds of delivery as they are set."""
    return DeliverySettings(
        connect=settings.connect_seconds,
        broadcasts_at_once=settings.lane_concurrency,
        waiting_most=settings.lane_max_waiting,
        unsettled_most=settings.unsettled_seconds,
        undelivered_bytes=settings.undelivered_bytes,
        unwritten_most=settings.unwritten_states,
        unwritten_bytes=settings.unwritten_bytes,
        settle=settle_most(settings),
    )


async def find_keys(settings: Settings, store: Store) -> Keys:
    """`HUB_KEYS`, or the key file in `HUB_DATA`, proved to be those of this store's data. Raises CannotServe."""
    given = settings.keys
    try:
        if given is not None:
            keys = Keys.parse(given.get_secret_value())
        else:
            make_folder(settings.data_folder)
            keys = Keys.load_or_make(settings.data_folder)
        await hub_keys.check(keys, store)
    except (hub_keys.KeysError, StoreError) as error:
        raise CannotServe(str(error)) from error
    return keys
