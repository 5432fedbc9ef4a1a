"""`python -m hub.demo` as a newcomer meets it: a whole charging story, Ctrl-C, a taken port, a run after a kill."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACE = "40"

# What a story by app and one by plug leave behind, one line of a call each.
STORY = (
    r">hub NL-TNM > NL-HUB PUT +tariffs +200 1000",
    r"hub> NL-HUB > DE-EMS PUT +locations +201 1000",
    r"hub> NL-HUB > NL-TNM PUT +tokens +201 1000",
    r">hub NL-TNM > NL-HUB PATCH +locations +200 1000 .* status CHARGING",
    r">hub NL-TNM > DE-EMS POST +tokens +200 1000 .* authorize ALLOWED +#\d",
    r">hub DE-EMS > NL-TNM POST +commands +200 1000 .* START_SESSION ACCEPTED +#\d",
    r"hub> NL-TNM > DE-EMS POST +commands +200 1000 .* START_SESSION result ACCEPTED +#\d",
    r">hub NL-TNM > DE-EMS PUT +sessions +201 1000 .* session ACTIVE",
    r">hub NL-TNM > DE-EMS PATCH +sessions +200 1000 .* session COMPLETED",
    r">hub NL-TNM > DE-EMS POST +cdrs +201 1000 .* CDR",
    r"== #\d+ .*, plugged in: authorised > session > \d updates?, [\d.]+ kWh > completed > CDR [\d.]+ EUR",
    r"== #\d+ .*, by app: START_SESSION > its result > session > .* CDR [\d.]+ EUR",
)


class Run:
    """A demo that runs without a terminal, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.printed = ""

    async def until(self, *patterns: str) -> None:
        """Read until every pattern was printed."""
        wanted = [re.compile(pattern) for pattern in patterns]
        while wanted:
            assert self.process.stdout is not None
            line = (await self.process.stdout.readline()).decode()
            assert line, f"it ended without {[pattern.pattern for pattern in wanted]}:\n{self.printed[-3000:]}"
            self.printed += line
            wanted = [pattern for pattern in wanted if not pattern.search(line)]

    async def ended(self) -> int:
        """Its exit code; what it printed since is read too."""
        assert self.process.stdout is not None
        self.printed += (await self.process.stdout.read()).decode()
        return await self.process.wait()

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))


@asynccontextmanager
async def demo(data: Path, *, port: int = 0) -> AsyncIterator[Run]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.demo", "--pace", PACE, cwd=ROOT,
        env={**environment, "HUB_DATA": str(data), "HUB_PORT": str(port), "HUB_OPERATOR_PORT": "0"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    children: list[psutil.Process] = []
    try:
        run = Run(process)
        yield run
    finally:
        if process.returncode is None:
            children = run.children()
            process.kill()
            await process.wait()
        for child in children:
            child.kill()


@pytest.mark.timeout(60)
async def test_a_whole_charging_story_then_ctrl_c_ends_everything(tmp_path: Path) -> None:
    async with demo(tmp_path) as run:
        await run.until(*STORY)
        children = run.children()
        assert len(children) == 3
        run.process.send_signal(signal.SIGINT)
        assert await run.ended() == 0
    assert "Traceback" not in run.printed
    assert "killed" not in run.printed
    assert re.search(r"everything ended after [\d.]+ s: \d+ calls went through the hub", run.printed)
    assert (tmp_path / "operator.key").read_text().strip() not in run.printed
    assert not [child for child in children if child.is_running()]


@pytest.mark.timeout(60)
async def test_a_run_after_a_kill_registers_again_and_a_party_that_dies_ends_it(tmp_path: Path) -> None:
    async with demo(tmp_path) as killed:
        await killed.until("what to open next")
        children = killed.children()
        killed.process.kill()
        await killed.process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 15)
    assert alive == [], "the processes of a demo that was killed end by themselves"
    async with demo(tmp_path) as run:
        await run.until("EMSP DE-EMS is registered", "CPO NL-TNM is registered", "what to open next")
        next(child for child in run.children() if "emsp" in child.cmdline()).kill()
        assert await run.ended() == 1
    assert "EMSP DE-EMS ended by itself with exit code -9" in run.printed
    assert "Traceback" not in run.printed


async def test_a_taken_port_is_a_sentence_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with demo(tmp_path, port=port) as run:
            assert await run.ended() == 1
    assert re.fullmatch(
        rf"port {port} on 127\.0\.0\.1 cannot be used \(address already in use\)\. "
        r"End what uses it, or take another: HUB_PORT=\d+ make run\n",
        run.printed,
    )
    assert list(tmp_path.iterdir()) == []
