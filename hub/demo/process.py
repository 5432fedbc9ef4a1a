"""A process that the demo starts: its lines, its last words, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

_LINE: Final = 2**20
_LAST: Final = 12


class Process:
    """One child: `name` for people, `words` of the `ocpi-hub` command line.

    `on_line` hears of each line of standard output, `on_error` of each of standard error; the last of the latter are
    kept. `on_end` hears of its end. It has a session of its own, so that Ctrl-C reaches the demo alone, which then
    ends things in their order.
    """

    def __init__(
        self,
        name: str,
        words: tuple[str, ...],
        *,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[bytes], None] | None = None,
        on_error: Callable[[str], None] | None = None,
        on_end: Callable[[Process], None],
    ) -> None:
        self.name = name
        self.last: deque[str] = deque(maxlen=_LAST)
        self._words = words
        self._environment = environment or {}
        self._on_line = on_line or _ignore
        self._on_error = on_error or _ignore
        self._on_end = on_end
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int] | None = None

    async def start(self) -> None:
        """Begin; its lines are read from now on."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub.demo.child", str(os.getpid()), *self._words,
            env={**os.environ, **self._environment, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True, limit=_LINE,
        )  # fmt: skip
        self._ended = asyncio.create_task(self._run(self._process), name=self.name)

    async def ended(self) -> int:
        """Its exit code, once it has ended and everything that it said is read. Raises LookupError before `start`."""
        if self._ended is None:
            raise LookupError(f"{self.name} was not started")
        return await asyncio.shield(self._ended)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._ended is not None and not self._ended.done()

    def enter(self) -> None:
        """What Enter is on a terminal."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b"\n")

    async def end(self, within: float) -> bool:
        """SIGTERM, and SIGKILL after `within` seconds; False where that was needed."""
        if not self.running:
            return True
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.ended(), within)
        except TimeoutError:
            self.kill()
            await self.ended()
            return False
        return True

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _run(self, process: asyncio.subprocess.Process) -> int:
        await asyncio.gather(_lines(process.stdout, self._on_line), _lines(process.stderr, self._error))
        code = await process.wait()
        self._on_end(self)
        return code

    def _error(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        self.last.append(text)
        self._on_error(text)


def _ignore(_: object) -> None:
    pass


async def _lines(stream: asyncio.StreamReader | None, hear: Callable[[bytes], None]) -> None:
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the limit: what was read is dropped
            continue
        if not line:
            return
        hear(line)
