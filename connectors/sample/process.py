"""A sample party as a process of its own: `ocpi-hub simulate cpo` and `ocpi-hub simulate emsp` (see there for people).

While it runs, faults are switched by `POST /control/fault` on its port, `{"fault": "hang"}` or `{"fault": null}`
(`offline` also takes `seconds`, after which it is back), and by SIGUSR1, which goes to the next of the faults given
at the start and after the last of them to none.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

from connectors.fault import Fault
from connectors.sample.client import NoAnswer
from connectors.sample.connection import RegistrationRefused
from connectors.sample.data import CPO_PARTY, EMSP_PARTY, SEED, sample_cpo, sample_emsp
from connectors.sample.life import live
from connectors.sample.platform import PortTaken, SamplePlatform
from connectors.sample.record import Call
from connectors.values import PartyId

_KEPT = 1000
_LEAVE_S = 3.0
_SETTLE_S = 0.5  # until the answer to its POST has reached the other side


class SampleFailed(Exception):
    """The sample party cannot run: a sentence for who started it (a taken port, a refused registration)."""


async def run_cpo(
    versions_url: str = "",
    credential: str = "",
    *,
    host: str = "127.0.0.1",
    name: str = "127.0.0.1",
    port: int = 0,
    pace: float = 2.0,
    faults: Sequence[str] = (),
    on_call: Callable[[Call], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    party: PartyId = CPO_PARTY,
    seed: int = SEED,
    raw: bool = False,
    leave: bool = True,
    on_enter: bool = False,
) -> None:
    """Run the sample CPO until SIGTERM or SIGINT; returns when all is ended cleanly. Raises SampleFailed.

    Registers at `versions_url` with `credential` (OCPI's TOKEN_A); without them it waits to be connected and says how.
    It listens on `host`, and is reached by `name`. `pace` is events a second. `faults` names what `--fault` was given,
    the first of them in force from the end of the registration. `on_call` hears of each call made or served, by default
    it is a line of JSON on standard output; `on_notice` gets sentences, by default on standard error. `leave`
    unregisters at the end. With `on_enter` the party registers at once, but lives only from a line on standard input
    on.
    """
    platform = sample_cpo(
        party, seed=seed, host=host, name=name, port=port, raw=raw, keep=_KEPT, control=True,
        on_call=on_call or print_call,
    )  # fmt: skip
    await _run(
        platform,
        versions_url=versions_url,
        credential=credential,
        pace=pace,
        faults=_faults(faults),
        notice=on_notice or print_notice,
        seed=seed,
        leave=leave,
        on_enter=on_enter,
    )


async def run_emsp(
    versions_url: str = "",
    credential: str = "",
    *,
    host: str = "127.0.0.1",
    name: str = "127.0.0.1",
    port: int = 0,
    pace: float = 2.0,
    faults: Sequence[str] = (),
    on_call: Callable[[Call], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    party: PartyId = EMSP_PARTY,
    seed: int = SEED,
    raw: bool = False,
    leave: bool = True,
    on_enter: bool = False,
) -> None:
    """Run the sample eMSP until SIGTERM or SIGINT; everything as in run_cpo. Raises SampleFailed."""
    platform = sample_emsp(
        party, seed=seed, host=host, name=name, port=port, raw=raw, keep=_KEPT, control=True,
        on_call=on_call or print_call,
    )  # fmt: skip
    await _run(
        platform,
        versions_url=versions_url,
        credential=credential,
        pace=pace,
        faults=_faults(faults),
        notice=on_notice or print_notice,
        seed=seed,
        leave=leave,
        on_enter=on_enter,
    )


def print_call(call: Call) -> None:
    """A call as a line of JSON on standard output."""
    # Who reads the lines may be gone before the party is.
    with contextlib.suppress(BrokenPipeError):
        print(call.line(), flush=True)


def print_notice(sentence: str) -> None:
    """A sentence on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def _faults(names: Sequence[str]) -> list[Fault]:
    try:
        return [Fault(name) for name in names if name]
    except ValueError as error:
        raise SampleFailed(f"{error}: the faults are {', '.join(Fault)}") from error


async def _run(
    platform: SamplePlatform,
    *,
    versions_url: str,
    credential: str,
    pace: float,
    faults: list[Fault],
    notice: Callable[[str], None],
    seed: int,
    leave: bool,
    on_enter: bool,
) -> None:
    with _stopped() as stop:
        try:
            await platform.start()
        except PortTaken as error:
            raise SampleFailed(str(error)) from error
        try:
            party = asyncio.create_task(
                _party(
                    platform,
                    versions_url=versions_url,
                    credential=credential,
                    pace=pace,
                    faults=faults,
                    notice=notice,
                    seed=seed,
                    on_enter=on_enter,
                )
            )
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((party, stopping), return_when=asyncio.FIRST_COMPLETED)
            party.cancel()
            stopping.cancel()
            ended, _ = await asyncio.gather(party, stopping, return_exceptions=True)
            if isinstance(ended, Exception):
                raise ended
            if leave and platform.peer is not None:
                with contextlib.suppress(RegistrationRefused, NoAnswer, TimeoutError):
                    await asyncio.wait_for(platform.unregister(), _LEAVE_S)
        finally:
            await platform.stop()


async def _party(
    platform: SamplePlatform,
    *,
    versions_url: str,
    credential: str,
    pace: float,
    faults: list[Fault],
    notice: Callable[[str], None],
    seed: int,
    on_enter: bool,
) -> None:
    names = ", ".join(str(party.id) for party in platform.parties)
    if versions_url:
        try:
            peer = await platform.register(versions_url, credential)
        except RegistrationRefused as error:
            raise SampleFailed(f"{names} could not register: {error}") from error
    else:
        notice(f"{names} waits: ocpi-hub party connect {platform.versions_url} {platform.invite()}")
        peer = await platform.connection.met()
        await asyncio.sleep(_SETTLE_S)
    notice(f"{names} is connected with {peer.hub or peer.versions_url}, at {platform.origin}")
    if on_enter:
        await _entered()
    with _switching(platform, faults, notice):
        if faults:
            await platform.switch(faults[0])
        await live(platform, events_per_second=pace, seed=seed)


async def _entered() -> None:
    """Wait for something on standard input, or for its end; not at all where it cannot be waited for (a file)."""
    loop, entered = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin.fileno(), entered.set)
    except (OSError, ValueError):
        return
    try:
        await entered.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())


@contextlib.contextmanager
def _stopped() -> Iterator[asyncio.Event]:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _switching(platform: SamplePlatform, faults: list[Fault], notice: Callable[[str], None]) -> Iterator[None]:
    loop, following = asyncio.get_running_loop(), itertools.cycle([*faults[1:], None, *faults[:1]])
    tasks: set[asyncio.Task[object]] = set()

    def switch() -> None:
        fault = next(following)
        notice(f"fault: {fault or 'none'}")
        task: asyncio.Task[object] = asyncio.create_task(platform.switch(fault))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGUSR1, switch)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
