"""Several processes under a supervisor: one hub to whoever looks at it, whatever ends one of them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.hub.processes.running import Run, alive, hammer


def test_calls_are_counted_right_though_a_process_is_killed_and_any_is_asked(tmp_path: Path) -> None:
    with Run(tmp_path, 3) as run:
        run.ready()
        for number in range(60):
            assert run.call() == 401
            if number == 30:
                os.kill(run.pids()[0], signal.SIGKILL)
                run.wait(lambda: len(run.events("process_ready")) == 4)
        assert {run.metric("ocpi_hub_calls_total") for _ in range(20)} == {60.0}
        assert run.metric("ocpi_hub_call_seconds_count") == 60.0
        assert run.metric("ocpi_hub_process_restarts_total") == 1.0
        run.wait(lambda: run.metric("ocpi_hub_processes") == 3.0)
        (ended,) = run.events("process_ended")
        assert (ended["how"], ended["ready"]) == ("SIGKILL", True)
        run.signal(signal.SIGTERM)
        assert run.ends() == 0


def test_a_process_that_is_down_takes_no_calls_and_the_others_stay_ready(tmp_path: Path) -> None:
    with Run(tmp_path, 2) as run:
        run.ready()
        run.fails.write_text("7")
        os.kill(run.pids()[0], signal.SIGKILL)
        run.wait(lambda: run.readiness() == (True, ["process 0 is down"]))
        for _ in range(20):
            assert run.call() == 401
        run.wait(lambda: len(run.events("process_ended")) >= 3)
        pauses = [event["how"] for event in run.events("process_ended")]
        assert pauses[:2] == ["SIGKILL", "exit code 7"]
        run.fails.unlink()
        run.wait(lambda: run.readiness() == (True, []))
        run.signal(signal.SIGTERM)
        assert run.ends() == 0


def test_a_process_that_is_stopped_is_told_of_and_makes_the_whole_not_ready(tmp_path: Path) -> None:
    with Run(tmp_path, 2) as run:
        run.ready()
        stopped = run.pids()[1]
        os.kill(stopped, signal.SIGSTOP)
        try:
            told: list[list[str]] = []

            def said() -> bool:
                ready, reasons = run.readiness()
                told.append(reasons)
                return not ready and "process 1 has not been heard of" in str(reasons)

            run.wait(said)
        finally:
            os.kill(stopped, signal.SIGCONT)
        run.ready()


async def test_one_after_the_other_is_replaced_and_no_call_fails(tmp_path: Path) -> None:
    with Run(tmp_path, 2) as run:
        await asyncio.to_thread(run.ready)
        before, over = run.pids(), asyncio.Event()
        calling = [asyncio.create_task(hammer(run.port, over, keep=keep)) for keep in (True, True, False, False)]
        await asyncio.sleep(0.2)
        run.signal(signal.SIGHUP)
        await asyncio.to_thread(run.wait, lambda: len(run.events("all_replaced")) == 1)
        await asyncio.sleep(0.2)
        over.set()
        answered = await asyncio.gather(*calling)
        assert min(answered) > 5
        after = run.pids()
        assert len(after) == 2 and not set(before) & set(after)
        assert run.metric("ocpi_hub_calls_total") == sum(answered)
        assert run.metric("ocpi_hub_process_restarts_total") == 0
        run.signal(signal.SIGTERM)
        assert run.ends() == 0


def test_where_the_next_process_does_not_come_to_stand_the_former_goes_on(tmp_path: Path) -> None:
    with Run(tmp_path, 2) as run:
        run.ready()
        before = run.pids()
        run.fails.write_text("7")
        run.signal(signal.SIGHUP)
        run.wait(lambda: len(run.events("replacing_stopped")) == 1)
        assert run.pids() == before and run.readiness() == (True, [])
        assert run.call() == 401
        run.fails.unlink()
        run.signal(signal.SIGHUP)
        run.wait(lambda: len(run.events("all_replaced")) == 1)


def test_the_processes_end_with_their_supervisor_however_it_ends(tmp_path: Path) -> None:
    with Run(tmp_path, 2) as run:
        run.ready()
        pids = run.pids()
        run.signal(signal.SIGKILL)
        run.ends()
        for pid in pids:
            run.wait(lambda pid=pid: not alive(pid))  # type: ignore[misc]
        assert len(run.events("stopped")) == 2


def test_the_last_of_a_killed_run_is_removed_by_the_next(tmp_path: Path) -> None:
    with Run(tmp_path, 1) as run:
        run.ready()
        folder = next(iter(_folders_of(run.pids()[0])))
        pids = run.pids()
        run.signal(signal.SIGKILL)
        for pid in pids:
            run.wait(lambda pid=pid: not alive(pid))  # type: ignore[misc]
        assert folder.exists()
    with Run(tmp_path, 1) as run:
        run.ready()
        assert not folder.exists()
        mine = _folders_of(run.pids()[0])
        run.signal(signal.SIGTERM)
        assert run.ends() == 0
        assert not any(one.exists() for one in mine)


def _folders_of(pid: int) -> set[Path]:
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {Path(line.split()[-1]).parent for line in maps if "ocpi-hub-" in line and "counts-" in line}


def test_a_start_that_cannot_be_ends_all_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "fails").write_text("7")
    with Run(tmp_path, 3) as run:
        assert run.ends() == 1
        assert "could not start (exit code 7)" in run.printed()
        assert "Traceback" not in run.printed()


@pytest.mark.parametrize("which", ["port", "operator_port"])
def test_a_port_that_somebody_listens_on_is_a_sentence(tmp_path: Path, which: str) -> None:
    run = Run(tmp_path, 2)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", getattr(run, which)))
        taken.listen()
        with run:
            assert run.ends() == 1
            name = "HUB_PORT" if which == "port" else "HUB_OPERATOR_PORT"
            assert f"or set {name} to another port" in run.printed()


def test_sigterm_while_a_process_is_down_ends_all_the_same(tmp_path: Path) -> None:
    with Run(tmp_path, 2) as run:
        run.ready()
        run.fails.write_text("7")
        os.kill(run.pids()[0], signal.SIGKILL)
        run.wait(lambda: len(run.events("process_ended")) >= 2)
        run.signal(signal.SIGTERM)
        assert run.ends() == 0
        assert run.pids() == []
