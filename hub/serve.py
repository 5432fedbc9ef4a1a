"""`ocpi-hub serve`: edge and worker in one process on the embedded engine, put together, run and ended in order."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import structlog
import uvloop
from aiohttp import web

from connectors.client.client import Client
from hub import keys as hub_keys
from hub.edge.edge import Edge
from hub.keys import Keys
from hub.locate import Locations
from hub.logging import configure
from hub.metrics import Metrics
from hub.observing import Observing, watch
from hub.onboarding.credentials import Onboarding
from hub.onboarding.desk import Desk, Identity
from hub.onboarding.handshake import Handshake
from hub.operator.app import operator_app
from hub.operator.key import make_key
from hub.registry import Registry
from hub.rewriter import Rewriter
from hub.settings import Settings
from routing.clock import SystemClock
from routing.exchanges import Exchanges
from routing.log.embedded import EmbeddedLog
from routing.log.port import Log, LogError
from routing.policy import DeliverySettings
from routing.resolving import DirectoryResolver
from routing.sender import HttpSender
from routing.store.embedded import EmbeddedStore
from routing.store.port import Store, StoreError
from routing.topics import EVENT_TOPICS, PUBLIC
from routing.worker.worker import Worker

log = structlog.get_logger(__name__)

_TIDY_SECONDS = 60.0
_DAY_MS = 86_400_000
_LEAST_SETTLE = 2.0
_LOOK_SECONDS = 1.0
_TAIL_BYTES = 8 * 2**20  # the worker reads on at once: more of the newest records in memory only costs memory


class CannotServe(Exception):
    """Why the hub does not start, or cannot go on: a sentence with the way out."""


class Hub:
    """Everything of one `serve` process. `start`, then wait for `stopped`, then `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._running = AsyncExitStack()  # what must end before anything that it uses, where the start fails
        self._clock = SystemClock()
        self.metrics = Metrics()

    async def start(self) -> None:
        """Raises CannotServe with a sentence; what was begun by then is ended again."""
        try:
            await self._start()
        except BaseException:
            await self._running.aclose()
            await self._stack.aclose()
            raise

    async def _start(self) -> None:
        settings, clock = self.settings, self._clock
        folder = _folder(settings.data_folder)
        self.log: Log = EmbeddedLog(
            folder, PUBLIC, settle=settings.drain_seconds + _LEAST_SETTLE, tail_bytes=_TAIL_BYTES
        )
        await self._open(self.log.start(), self.log.close)
        store = EmbeddedStore(folder)
        self.store: Store = store
        await self._open(store.start(), store.close)
        keys = await self._keys(store, folder)
        registry = Registry(store, keys, hub=settings.party)
        await self._open(registry.start(), registry.stop)
        client = Client(
            settings.allow_networks,
            connect_timeout=settings.connect_seconds,
            body_limit=settings.max_answer_bytes,
        )
        await self._open(client.start(), client.close)
        handshake = Handshake(client, within=settings.handshake_seconds, allow_networks=settings.allow_networks)
        desk = Desk(registry, keys, handshake, Identity.of(settings))
        onboarding = Onboarding(desk)
        self._stack.push_async_callback(onboarding.close)
        rewriter = Rewriter(keys, store, settings.public_url)
        exchanges = Exchanges(self.log, source=f"serve-{os.getpid()}")
        self.worker = Worker(
            log=self.log, store=store, topics=EVENT_TOPICS, hub=settings.party,
            sender=HttpSender(client, registry.authorization_for),
            resolver=DirectoryResolver(lambda: registry.directory, registry.refresh),
            locate=Locations(rewriter, clock, days=settings.cdr_days).locate, clock=clock, random=Random(),
            observer=Observing(self.metrics, clock), settings=_delivery(settings), member="serve",
        )  # fmt: skip
        watch(self.metrics, self.worker)
        await self.worker.start()
        self._running.push_async_callback(self.worker.stop)
        self.edge = Edge(
            settings, registry=registry, log=self.log, client=client, rewriter=rewriter, onboarding=onboarding,
            metrics=self.metrics, exchanges=exchanges, clock=clock,
        )  # fmt: skip
        await self._listen(self.edge.start(), "HUB_PORT", settings.host, settings.port)
        self._running.push_async_callback(self.edge.close)
        await self._operator(desk, store)
        tidying = asyncio.create_task(self._tidy_often(), name="tidy")
        self._stack.callback(tidying.cancel)

    async def stop(self) -> None:
        """Not ready, accept nothing, finish what is in flight, commit clean; within `HUB_DRAIN_SECONDS`."""
        started = self._clock.monotonic()
        await self.edge.drain(max(self.settings.drain_seconds - _LEAST_SETTLE, 0.0))
        left = self.settings.drain_seconds - (self._clock.monotonic() - started)
        await self.worker.stop(settle=max(left, _LEAST_SETTLE))
        await self.edge.close()
        await self._stack.aclose()

    def trouble(self) -> str | None:
        """Why this process cannot do its work, for readiness."""
        return self.worker.failure or self.log.trouble() or self.store.trouble() or self.edge.ready()

    # --- parts -------------------------------------------------------------------------------------------------------

    async def _open(
        self, starting: Coroutine[Any, Any, None], closing: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        try:
            await starting
        except (LogError, StoreError) as error:
            raise CannotServe(str(error)) from error
        self._stack.push_async_callback(closing)

    async def _keys(self, store: EmbeddedStore, folder: Path) -> Keys:
        given = self.settings.keys
        try:
            keys = Keys.parse(given.get_secret_value()) if given is not None else Keys.load_or_make(folder)
            await hub_keys.check(keys, store)
        except hub_keys.KeysError as error:
            raise CannotServe(str(error)) from error
        return keys

    async def _listen(self, starting: Coroutine[Any, Any, None], variable: str, host: str, port: int) -> None:
        try:
            await starting
        except OSError as error:
            raise CannotServe(
                f"{host}:{port} cannot be listened on ({os.strerror(error.errno or 0)}): "
                f"end what uses it, or set {variable} to another port"
            ) from error

    async def _operator(self, desk: Desk, store: Store) -> None:
        settings = self.settings
        key = settings.operator_key or make_key(settings)
        app = operator_app(desk, store, key, ready=(self.trouble,), metrics=self.metrics.page)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, settings.operator_host, settings.operator_port)
        await self._listen(site.start(), "HUB_OPERATOR_PORT", settings.operator_host, settings.operator_port)

    async def _tidy_often(self) -> None:
        """Drop what is older than is promised to be kept."""
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            now = self._clock.utc()
            try:
                await self.log.trim()
                await self.store.expire(now, cdrs_before=now - self.settings.cdr_days * _DAY_MS)
            except (LogError, StoreError) as error:
                log.warning("not_tidied", reason=str(error))


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CannotServe(f"HUB_DATA {path} cannot be made ({error.strerror}): set it to a folder of yours") from error
    return path


def _delivery(settings: Settings) -> DeliverySettings:
    return DeliverySettings(
        connect=settings.connect_seconds,
        attempt=settings.broadcast_seconds,
        broadcasts_at_once=settings.lane_concurrency,
        waiting_most=settings.lane_max_waiting,
        unsettled_most=settings.unsettled_seconds,
        undelivered_bytes=settings.undelivered_bytes,
    )


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a second one ends at once. Raises CannotServe."""
    hub = Hub(settings)
    await hub.start()
    # what lives for the whole run is not looked at again by every collection
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stopping)
    log.info("serving", edge=settings.public_url, operator=settings.operator_base, party=str(settings.party))
    while not stopping.is_set() and hub.worker.failure is None:
        try:
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
        except TimeoutError:
            continue
    log.info("draining", seconds=settings.drain_seconds)
    await hub.stop()
    if hub.worker.failure is not None:
        raise CannotServe(f"{hub.worker.failure}. Nothing accepted is lost: start it again")
    log.info("stopped")


def _stop(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        os._exit(130)
    stopping.set()


def run(settings: Settings) -> int:
    """The exit code of `ocpi-hub serve`."""
    configure(level=settings.logging_level, style=settings.logging_format)
    try:
        uvloop.run(serve(settings))
    except CannotServe as reason:
        print(f"ocpi-hub: {reason}", file=sys.stderr)
        return 1
    return 0
