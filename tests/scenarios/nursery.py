"""Processes of the hub that need not import it: a process that has imported it once forks each of them.

Importing is nine tenths of what a start costs (0.9 of 1.1 CPU seconds), and the suite starts hundreds. What is forked
is a process as any: a pid of its own, killed, stopped and waited for, with the environment and the words that it was
given. What an import does at a start, and the interpreter at its end, is seen by those that are started as a command:
`fresh`.

`python -m tests.scenarios.nursery FD` is the process that forks, spoken to in lines of JSON over that socket.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NoReturn, Protocol

from tests.engines.process import ROOT

_LOOK_SECONDS: Final = 0.01
_IMPORTED: Final = (
    "hub.cli.main", "hub.processes.hub", "hub.processes.kafka", "hub.processes.run", "hub.processes.serving",
    "hub.processes.supervisor", "routing.log.embedded", "routing.log.kafka.topics", "routing.store.embedded",
    "routing.store.mongo", "uvloop",
)  # fmt: skip


class Started(Protocol):
    """A process that was started, forked or not: as subprocess.Popen has it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def kill(self) -> None: ...


def start(words: Sequence[str], environment: Mapping[str, str], out: Path, *, fresh: bool = False) -> Started:
    """`ocpi-hub` with these words; what it prints is added to a file. With `fresh` it is started as a command."""
    if not fresh:
        return _nursery().start(words, environment, out, out)
    with out.open("ab") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "hub.cli.main", *words],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
        )  # fmt: skip


def run(words: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """`ocpi-hub` with these words to its end: exit code, standard output, standard error."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        code = _nursery().start(words, environment, out, err).wait()
        return code, out.read_text(), err.read_text()


class Forked:
    """A child of the nursery."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for the signal that ended it, once it has ended."""
        if self._code is None:
            self._code = self._nursery.ask(poll=self.pid)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """The same, waited for. Raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and timeout is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout)
            time.sleep(_LOOK_SECONDS)
        return code

    def send_signal(self, sig: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks, one for each process of the suite; it ends, with all of its children, with that one."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.scenarios.nursery", str(theirs.fileno())],
                cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
            )  # fmt: skip
        self._lines = ours.makefile("rwb")
        self._asking = threading.Lock()
        ours.close()
        atexit.register(self.close)

    def start(self, words: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> Forked:
        request = {"words": list(words), "environment": dict(environment), "out": str(out), "err": str(err)}
        pid = self.ask(start=request)
        assert pid is not None
        return Forked(self, pid)

    def ask(self, **request: object) -> int | None:
        """One request and its answer. Raises RuntimeError where the process that forks is gone."""
        with self._asking:
            try:
                self._lines.write(json.dumps(request).encode() + b"\n")
                self._lines.flush()
                line = self._lines.readline()
            except OSError:
                line = b""
        if not line:
            raise RuntimeError("the process that forks the hubs has ended: what it said stands above")
        answered: int | None = json.loads(line)
        return answered

    def close(self) -> None:
        self._lines.close()
        self._process.wait()


_made: list[Nursery] = []
_making = threading.Lock()


def _nursery() -> Nursery:
    with _making:
        if not _made:
            _made.append(Nursery())
        return _made[0]


# --- the process that forks ------------------------------------------------------------------------------------------


def _serve(said: socket.socket) -> dict[str, Any] | None:
    """Answer until the other side is gone. In a child: what it is to be."""
    children: set[int] = set()
    with said, said.makefile("rwb") as lines:
        for line in lines:
            request = json.loads(line)
            answer: int | None = None
            if (wanted := request.get("start")) is not None:
                answer = os.fork()
                if answer == 0:
                    return dict(wanted)
                children.add(answer)
            elif (pid := request["poll"]) in children:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    children.discard(pid)
                    answer = os.waitstatus_to_exitcode(status)
            lines.write(json.dumps(answer).encode() + b"\n")
            lines.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    return None


def _become(wanted: Mapping[str, Any]) -> None:
    """What a process that was started as a command is before its first line."""
    os.environ.clear()
    os.environ.update(wanted["environment"])
    for descriptor, name in ((1, "out"), (2, "err")):
        opened = os.open(wanted[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [str(ROOT / "hub" / "cli" / "main.py"), *wanted["words"]]
    sys.orig_argv = [sys.executable, "-m", "hub.cli.main", *wanted["words"]]


def _end(code: object) -> NoReturn:
    """The end of an interpreter, without taking apart what was imported: that takes longer than most commands do."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined] # waits for the threads, then what pools registered
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def main() -> None:
    """Import, then fork at each request; a child goes on here as the command line of the hub."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the suite's to carry out
    modules = [import_module(name) for name in _IMPORTED]
    modules[0].command()
    gc.collect()
    gc.freeze()
    wanted = _serve(socket.socket(fileno=int(sys.argv[1])))
    if wanted is not None:
        _become(wanted)
        try:
            modules[0].main()
        except SystemExit as ended:
            _end(ended.code)


if __name__ == "__main__":
    main()
