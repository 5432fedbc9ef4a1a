"""A process of the benchmark: begun on its cores, waited for, measured, and ended whatever happens."""

from __future__ import annotations

import asyncio
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.bench import machine

ROOT = Path(__file__).resolve().parents[2]

_READY_SECONDS = 60.0
_END_SECONDS = 30.0
_TOLD = 4000


class DidNotStart(Exception):
    """A process ended or did not get ready; the sentence ends with what it printed last."""


class Measured(ABC):
    """What CPU time and memory are read of: a process, or several that do one thing together."""

    @abstractmethod
    def cpu(self) -> float:
        """CPU seconds that it and its children have used."""

    @abstractmethod
    def rss(self) -> float:
        """Its resident memory and that of its children, MiB."""

    async def settled(self, within: float) -> None:
        """Wait until it has next to nothing to do any more, at most `within` seconds."""
        loop = asyncio.get_running_loop()
        until, quiet = loop.time() + within, 0
        while quiet < 2 and loop.time() < until:
            before = self.cpu()
            await asyncio.sleep(0.15)
            quiet = quiet + 1 if self.cpu() - before < 0.025 else 0


class Together(Measured):
    """Several of them, as one."""

    def __init__(self, *parts: Measured) -> None:
        self._parts = parts

    def cpu(self) -> float:
        return sum(part.cpu() for part in self._parts)

    def rss(self) -> float:
        return sum(part.rss() for part in self._parts)


class Process(Measured):
    """A running process; `output` is the file that holds what it prints (standard error, and output unless piped)."""

    def __init__(self, name: str, running: asyncio.subprocess.Process, output: Path) -> None:
        self.name = name
        self.running = running
        self.output = output
        self._family = [running.pid]

    def refresh(self) -> None:
        """Look for its children anew, once it is ready."""
        self._family = machine.family(self.running.pid)

    def cpu(self) -> float:
        return machine.cpu_seconds(self._family)

    def rss(self) -> float:
        return machine.rss_mib(self._family)

    def failed(self, what: str) -> DidNotStart:
        """The error for a process that did not get ready."""
        code = self.running.returncode
        how = what if code is None else f"it ended with exit code {code}"
        tail = self.output.read_text(errors="replace")[-_TOLD:].strip()
        return DidNotStart(f"{self.name}: {how}. It printed last:\n{tail}")

    async def ended(self, within: float) -> int:
        """Its exit code, once it has ended by itself. Raises DidNotStart where it has not within so many seconds."""
        try:
            return await asyncio.wait_for(self.running.wait(), within)
        except TimeoutError:
            raise self.failed(f"it had not ended after {within:.0f} s") from None

    async def listening(self, port: int) -> None:
        """Wait until it takes connections on this port. Raises DidNotStart."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _READY_SECONDS
        while loop.time() < until and self.running.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                self.refresh()
                return
        raise self.failed(f"nobody listens on port {port} after {_READY_SECONDS:.0f} s")


@asynccontextmanager
async def process(
    name: str,
    command: Collection[str],
    *,
    cores: Collection[int],
    output: Path,
    environment: Mapping[str, str] | None = None,
    piped: bool = False,
) -> AsyncIterator[Process]:
    """The command of this Python (`-m module ...`) on these cores; SIGTERM at the end, SIGKILL if that does not do.

    With `piped` standard input and output are pipes. A session of its own keeps Ctrl-C from it: whoever runs the
    benchmark ends it in order.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    environment = clean | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(environment or {})
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("ab") as printed:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.pinned", ",".join(map(str, sorted(cores))), sys.executable, *command,
            stdin=asyncio.subprocess.PIPE if piped else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if piped else printed,
            stderr=printed, cwd=ROOT, env=environment, start_new_session=True, limit=2**26,
        )  # fmt: skip
    made = Process(name, running, output)
    try:
        yield made
    finally:
        await _end(running)


async def _end(running: asyncio.subprocess.Process) -> None:
    if running.returncode is not None:
        return
    with suppress(ProcessLookupError):
        running.terminate()
    try:
        await asyncio.wait_for(running.wait(), _END_SECONDS)
    except BaseException:
        with suppress(ProcessLookupError):
            running.kill()
        await running.wait()
        raise
