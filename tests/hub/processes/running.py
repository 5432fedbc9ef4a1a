"""A supervisor and its processes, run as people run them, each process with engines of its own."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.scenarios.hub import free_port

ROOT: Final = Path(__file__).resolve().parents[3]
WITHIN: Final = 30.0


class Run:
    """One run in `folder`: `with Run(...) as run`. `settings` are HUB_ variables without the prefix."""

    def __init__(self, folder: Path, processes: int, *, command: str = "serve", **settings: object) -> None:
        self.folder = folder
        self.port, self.operator_port = free_port(), free_port()
        self.fails = folder / "fails"
        self._words = (command, "--processes", str(processes))
        self._settings = settings
        self._printed = folder / "printed"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        settings = {
            "PORT": self.port, "OPERATOR_PORT": self.operator_port, "DATA": self.folder / "data",
            "LOG": "kafka://127.0.0.1:1", "STORE": "mongodb://127.0.0.1:1/hub", "LOGGING_FORMAT": "json",
            "ALLOW_NETWORKS": "127.0.0.0/8", "DRAIN_SECONDS": 10, **{k.upper(): v for k, v in self._settings.items()},
        }  # fmt: skip
        environment = kept | {f"HUB_{name}": str(value) for name, value in settings.items()}
        with self._printed.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.hub.processes.apart", *self._words],
                cwd=ROOT, env=environment | {"FAILS_AT_START": str(self.fails)},
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        family = [self.process.pid, *self.pids()]
        for pid in family if self.process.poll() is None else family[1:]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pid in family[1:]:
            self.wait(lambda pid=pid: not alive(pid))  # type: ignore[misc]

    def pids(self) -> list[int]:
        """Its processes that are there, oldest first."""
        assert self.process is not None
        try:
            children = psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            return []
        return [one.pid for one in children]

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ends(self) -> int:
        """The exit code, once it has ended."""
        assert self.process is not None
        return self.process.wait(WITHIN)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Until something holds. Raises AssertionError with what was printed last."""
        until = time.monotonic() + WITHIN
        while not holds():
            assert time.monotonic() < until, self.printed()[-3000:]
            time.sleep(0.02)

    def ready(self) -> None:
        """Wait until it is."""
        self.wait(lambda: self.readiness()[0])

    def readiness(self) -> tuple[bool, list[str]]:
        try:
            status, body = get(self.operator_port, "/readyz", within=1)
        except OSError:
            return False, ["nobody answers"]
        told = orjson.loads(body)
        assert told["ready"] == (status == 200)
        return told["ready"], told["reasons"]

    def call(self) -> int:
        """One call to the edge over a connection of its own; the HTTP status."""
        return get(self.port, "/ocpi/versions")[0]

    def metric(self, name: str) -> float:
        """The sum of all samples of this name."""
        text = get(self.operator_port, "/metrics")[1].decode()
        families = text_string_to_metric_families(text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of logging of one event, of all processes."""
        lines = (line for line in self.printed().splitlines() if line.startswith("{"))
        return [found for line in lines if (found := orjson.loads(line)).get("event") == event]

    def printed(self) -> str:
        return self._printed.read_text()


def get(port: int, path: str, *, within: float = 10) -> tuple[int, bytes]:
    """HTTP status and body. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=within)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def alive(pid: int) -> bool:
    """Whether a process of this id runs."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def hammer(port: int, over: asyncio.Event, *, keep: bool) -> int:
    """Call the edge again and again, on a connection that is kept as long as it may be; how many were answered.

    Raises OSError or asyncio.IncompleteReadError for a call that got no answer.
    """
    answered = 0
    while not over.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            going_on = True
            while going_on and not over.is_set():
                writer.write(b"GET /ocpi/versions HTTP/1.1\r\nHost: h\r\n\r\n")
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                assert head.startswith("http/1.1 401"), head
                await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
                answered += 1
                going_on = keep and "connection: close" not in head
                await asyncio.sleep(0.005)
        finally:
            writer.close()
    return answered
