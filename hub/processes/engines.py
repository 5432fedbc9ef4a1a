"""The log and the store that the settings name, opened before anything that needs them.

What must be reached over the network is waited for, and said; what cannot be used as it is ends the start at once.
The libraries of Kafka and MongoDB are loaded by who uses them only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar, runtime_checkable

import structlog

from hub.processes.parts import CannotServe
from hub.settings import Settings
from hub.skew import Skew
from routing.log.port import Log, LogAway, LogError
from routing.store.port import Store, StoreAway, StoreError
from routing.topics import PUBLIC

log = structlog.get_logger(__name__)

SAY_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 0.5

_TAIL_BYTES: Final = 8 * 2**20  # the worker reads on at once: more of the newest records in memory only costs memory


class Engine(Protocol):
    """What log and store have in common. A start that fails, or is cancelled, leaves nothing to be closed."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


@runtime_checkable
class Staying(Protocol):
    """A log whose consumers are waited for when they stop, unless they leave."""

    def leaves(self) -> None: ...


@runtime_checkable
class Measuring(Protocol):
    """A log that has a clock of its own."""

    skew: Skew


AnEngine = TypeVar("AnEngine", bound=Engine)


@dataclass(frozen=True, slots=True)
class Engines:
    """Both, started."""

    log: Log
    store: Store


async def open_engines(settings: Settings, stack: AsyncExitStack, *, settle: float, named: bool = False) -> Engines:
    """Start both; `stack` closes them. `settle` are the seconds in which a worker gives partitions up.

    `named`: this process has a name of its own in the group, which comes back when it is started again. Raises
    CannotServe with a sentence when one cannot be used, or was not there within `HUB_START_SECONDS`.
    """
    if settings.log.embedded or settings.store.embedded:
        make_folder(settings.data_folder)
    within = settings.start_seconds
    opening_log = wait_for(
        lambda: make_log(settings, settle, named=named), stack, name=f"the log {settings.log}", within=within
    )
    opening_store = wait_for(lambda: make_store(settings), stack, name=f"the store {settings.store}", within=within)
    if settings.log.embedded:  # its lock is what tells a second process that the folder is in use
        return Engines(await opening_log, await opening_store)
    opened = await _both(asyncio.ensure_future(opening_log), asyncio.ensure_future(opening_store))
    return Engines(*opened)


def make_log(settings: Settings, settle: float, *, named: bool) -> Log:
    """The log, not started. Raises ValueError for an address that is none."""
    if settings.log.embedded:
        from routing.log.embedded import EmbeddedLog  # noqa: PLC0415 - loaded by who uses it

        return EmbeddedLog(settings.data_folder, PUBLIC, settle=settle, tail_bytes=_TAIL_BYTES)
    from hub.processes.kafka import HubLog  # noqa: PLC0415 - the same

    return HubLog(settings, settle=settle, named=named)


def make_store(settings: Settings) -> Store:
    """The store, not started."""
    if settings.store.embedded:
        from routing.store.embedded import EmbeddedStore  # noqa: PLC0415 - loaded by who uses it

        return EmbeddedStore(settings.data_folder)
    from routing.store.mongo import MongoStore  # noqa: PLC0415 - motor costs the embedded hub nothing

    return MongoStore(settings.store.get_secret_value())


def make_folder(path: Path) -> None:
    """`HUB_DATA`. Raises CannotServe."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = error.strerror
        raise CannotServe(f"HUB_DATA {path} cannot be made ({reason}): set it to a folder of yours") from error


class _Waiting:
    """What is waited for, and why it is not there yet; told every few seconds, whatever an attempt takes."""

    def __init__(self, name: str, within: float) -> None:
        self.until = asyncio.get_running_loop().time() + within
        self.reason = "it did not answer"
        self.told = False
        self._name = name

    def tell(self) -> None:
        self.told = True
        left = max(0, round(self.until - asyncio.get_running_loop().time()))
        log.warning("waiting_at_start", waits_for=self._name, reason=self.reason, seconds_left=left)

    async def keep_telling(self) -> None:
        while True:
            await asyncio.sleep(SAY_SECONDS)
            self.tell()


async def wait_for(make: Callable[[], AnEngine], stack: AsyncExitStack, *, name: str, within: float) -> AnEngine:
    """An engine made and started; made anew and tried again while it is away, given up after `within` seconds.

    `name` is how it is told of. Raises CannotServe.
    """
    loop = asyncio.get_running_loop()
    waiting = _Waiting(name, within)
    telling = loop.create_task(waiting.keep_telling(), name=f"waiting for {name}")
    try:
        while True:
            try:
                engine = make()
                async with asyncio.timeout_at(waiting.until):
                    await engine.start()
            except (LogAway, StoreAway) as away:
                waiting.reason = str(away)
            except TimeoutError:
                pass
            except (LogError, StoreError, ValueError) as error:
                raise CannotServe(str(error)) from error
            else:
                stack.push_async_callback(engine.close)
                return engine
            if loop.time() + AGAIN_SECONDS >= waiting.until:
                if not waiting.told:  # a machine that stood still meanwhile: the log tells of a wait all the same
                    waiting.tell()
                raise CannotServe(f"{name} was not there within {within:g} s (HUB_START_SECONDS): {waiting.reason}")
            await asyncio.sleep(AGAIN_SECONDS)
    finally:
        telling.cancel()


async def _both(opening_log: asyncio.Future[Log], opening_store: asyncio.Future[Store]) -> tuple[Log, Store]:
    """Both, or the first one's failure, once the other has been given up as well."""
    both = (opening_log, opening_store)
    try:
        await asyncio.gather(*both)
    finally:
        for one in both:
            one.cancel()
        await asyncio.wait(both)
    return opening_log.result(), opening_store.result()
