"""A whole hub in one thread and in virtual time: the edge that people run, its worker, engines in memory, no sockets.

Whatever is said to it as bytes goes through aiohttp's own protocol and parser, the pipeline, onboarding, the log, the
worker, and comes back as bytes. A minute of waiting takes no time, so every caller that stalls is seen to its end.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import io
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, TypeVar, cast

import orjson
import structlog

from connectors.authorization import digest
from connectors.client.client import Client
from connectors.values import InterfaceRole, PartyId, Role
from hub.connection.living import Living
from hub.connection.probing import Probing
from hub.connection.seen import Seen
from hub.edge.edge import Edge
from hub.keys import Keys
from hub.logging import configure
from hub.metrics import Metrics
from hub.onboarding.desk import Desk, Identity
from hub.onboarding.handshake import Handshake
from hub.processes.common import Common, delivery
from hub.processes.edge import make_edge
from hub.processes.worker import make_worker
from hub.registry import Registry
from hub.rewriter import Rewriter
from hub.settings import Settings
from routing.directory import Endpoint, Issued, Kind, Party, Platform, Status
from routing.log.memory import MemoryLog
from routing.rates import Rates
from routing.store.memory import MemoryStore
from routing.topics import PUBLIC
from routing.worker.widths import Widths
from routing.worker.worker import Worker
from tests.hub.bad_input.line import Heard, Line
from tests.hub.bad_input.recipients import MODULES, Recipients
from tests.sim.loop import VirtualClock, VirtualLoop

T = TypeVar("T")

HUB, CPO, EMSP = PartyId("NL", "HUB"), PartyId("NL", "ABC"), PartyId("DE", "XYZ")
USUAL = frozenset(("platform_registered", "platform_unregistered", "location_elsewhere", "location_not_rewritten"))
"""Events of the logging that tell of no defect."""

CREDENTIALS = {"cpo": "c" * 40, "emsp": "e" * 40, "invited": "i" * 40}


class Loop(VirtualLoop):
    """Listening keeps the factory of protocols; whoever connects asks it for one."""

    factory: Callable[[], asyncio.Protocol]

    async def create_server(self, factory: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        self.factory = factory
        return _Listening()


class _Listening:
    sockets = ()

    def close(self) -> None:
        pass


def platforms(keys: Keys) -> list[Platform]:
    invited = Issued(digest(CREDENTIALS["invited"]), Kind.INVITATION, 0)
    return [
        platform("cpo", CPO, Role.CPO, keys),
        platform("emsp", EMSP, Role.EMSP, keys),
        Platform("invited", invited=((PartyId("FR", "NEW"), Role.CPO),), issued=(invited,)),
    ]


def platform(id: str, party: PartyId, role: Role, keys: Keys) -> Platform:
    origin = f"https://{id}.example"
    return Platform(
        id, status=Status.CONNECTED, parties=(Party(party, role),), version="2.2.1", invited=((party, role),),
        versions_url=f"{origin}/versions", origins=(f"{origin}:443",), presents=keys.encrypt(b"p" * 40, id.encode()),
        endpoints=tuple(
            Endpoint(module, side, f"{origin}/{side.lower()}/{module}") for module in MODULES for side in InterfaceRole
        ),
        issued=(Issued(digest(CREDENTIALS[id]), Kind.ACCESS, 0, used=True),),
    )  # fmt: skip


def _usual(line: dict[str, str]) -> bool:
    """Owners answer here whatever a test makes them, also where they are asked for an object of theirs."""
    return line["event"] in USUAL or "could not be read from its owner" in line.get("reason", "")


class Stage:
    """The hub, started, with the platforms `cpo`, `emsp` and `invited`; `printed` is its logging."""

    def __init__(self, loop: Loop, printed: io.StringIO, settings: Settings) -> None:
        self.loop, self.printed, self.settings = loop, printed, settings
        self.clock = VirtualClock(loop)
        self.recipients = Recipients()
        self.metrics = Metrics()
        self.store = MemoryStore()
        self.log = MemoryLog(PUBLIC, clock=self.clock.utc, partitions=4, retention_ms=1000)
        self.failed: list[Mapping[str, Any]] = []
        self.edge: Edge
        self.worker: Worker
        self._stack = AsyncExitStack()
        self._looked = 0
        loop.set_exception_handler(lambda _, context: self.failed.append(context))

    async def start(self) -> None:
        keys, settings, clock = Keys({"k": bytes(32)}), self.settings, self.clock
        self._platforms = platforms(keys)
        await self.store.start()
        await self.restore()
        registry = self._registry = Registry(self.store, keys, hub=HUB, now=clock.utc, monotonic=clock.monotonic)
        await registry.start()
        self._stack.push_async_callback(registry.stop)
        handshake = Handshake(
            self.recipients, within=settings.handshake_seconds, allow_networks=settings.allow_networks
        )
        client = cast("Client", self.recipients)
        seen = Seen(registry, clock)
        common = Common(
            settings=settings, clock=clock, name="stage", log=self.log, store=self.store, registry=registry,
            client=client, desk=Desk(registry, keys, handshake, Identity.of(settings)),
            rewriter=Rewriter(keys, self.store, settings.public_url, now=clock.utc), metrics=self.metrics,
            seen=seen, probing=Probing(client, registry, seen, clock), living=Living(self.store, clock, "stage"),
            rates=Rates(lambda platform: None, lambda: 1, clock.monotonic), widths=Widths(delivery(settings), clock),
        )  # fmt: skip
        self.worker = make_worker(common)
        await self.worker.start()
        self.edge = make_edge(common, self._stack)
        await self.edge.start()
        self.metrics.watch(directory=lambda: registry.directory)

    async def restore(self) -> None:
        """The platforms as they were: some calls renew or end a registration."""
        self.store.data.states.clear()
        self.store.data.cdrs.clear()
        stored = self.store.data.platforms
        for one in self._platforms:
            await self.store.save_platform(replace(one, revision=stored[one.id].revision if one.id in stored else 0))

    async def stop(self) -> None:
        await self.worker.stop(settle=1.0)
        await self.edge.close()
        await self._stack.aclose()

    async def ask(self, data: bytes, *, head: bool = False) -> Heard | None:
        """What these bytes are answered on a connection of their own, which then ends; None: it was closed without."""
        line = self.connect()
        try:
            line.say(data)
            return await line.hear(head=head)
        finally:
            line.end()

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(what)

    def connect(self) -> Line:
        """A new connection to the edge."""
        return Line(self.loop, self.loop.factory())

    # --- what is looked at -------------------------------------------------------------------------------------------

    def said(self) -> list[str]:
        """What was logged since the last look, but what is usual; platforms that registered or left are put back."""
        if self.printed.tell() == self._looked and not self.failed:
            return []
        lines = self.printed.getvalue()[self._looked :].splitlines()
        self._looked = self.printed.tell()
        self.run(self.restore())
        self.run(self._registry.refresh())
        return [line for line in lines if not _usual(orjson.loads(line))] + list(map(str, self.failed))

    def waiting(self) -> int:
        """Callers of directed pushes that are still waited for."""
        return len(self.edge.waiting)

    def objects(self) -> int:
        """How many objects there are, without what is durable, logged, or remembered within a bound of its own."""
        self.run(asyncio.sleep(200))
        self.run(self.restore())
        self.run(self.log.trim())
        self.printed.seek(0)
        self.printed.truncate()
        self._looked = 0
        for room in [name for name in sys.modules if name.split(".")[0] in ("hub", "routing", "connectors")]:
            for one in vars(sys.modules[room]).values():
                if isinstance(one, functools._lru_cache_wrapper):
                    one.cache_clear()
        gc.collect()
        return len(gc.get_objects())

    def traces(self) -> list[str]:
        """What the logging holds that somebody would be woken for, or that is a stack trace."""
        found = []
        for line in self.printed.getvalue().splitlines():
            entry = orjson.loads(line)
            if entry.get("level") in ("error", "critical") or "exception" in entry or "Traceback" in line:
                found.append(line)
        return found + [str(context) for context in self.failed]

    def samples(self) -> set[str]:
        """Every label set of the metrics, by its text."""
        lines = self.metrics.page().decode().splitlines()
        return {line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")}

    def tasks(self) -> int:
        return len(asyncio.all_tasks(self.loop))


@contextmanager
def stage(**settings: Any) -> Iterator[Stage]:
    """A hub for one test; ended in order, its logging given back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    printed = io.StringIO()
    configure(level="info", style="json", stream=printed)
    structlog.configure(cache_logger_on_first_use=False)  # the loggers outlive this stage
    loop = Loop()
    chosen: dict[str, Any] = {
        "public_url": "https://hub.example",
        "allow_networks": (ip_network("127.0.0.0/8"),),
        "platform_calls_per_second": 10**9,  # no time passes here between two calls
    } | settings
    made = Stage(loop, printed, Settings(**chosen))
    try:
        made.run(made.start())
        yield made
        made.run(made.stop())
    finally:
        loop.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
        structlog.reset_defaults()
