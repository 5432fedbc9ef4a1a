"""A sample party as a process: it registers, lives, tells each call in a line, and ends cleanly on a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import orjson
import pytest

from connectors.sample import Call, Fault, SampleFailed, run_cpo, run_emsp, sample_cpo
from tests.connectors.sample.conftest import Pair

ROOT = Path(__file__).resolve().parents[3]
RUN = "import asyncio, sys; from connectors.sample import run_emsp; asyncio.run(run_emsp(sys.argv[1], sys.argv[2]))"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_registers_lives_and_ends_with_0(strangers: Pair, number: signal.Signals) -> None:
    cpo = strangers.cpo
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, cpo.versions_url, cpo.invite(),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await cpo.wait_for(lambda received: received.module == "tokens", timeout=20)
    process.send_signal(number)
    output, notices = await asyncio.wait_for(process.communicate(), 20)
    calls = [orjson.loads(line) for line in output.splitlines()]
    put = next(call for call in calls if call["module"] == "tokens")
    assert process.returncode == 0, notices
    assert (put["direction"], put["from"], put["method"], put["ocpi_status"]) == ("out", "DE-EMS", "PUT", 1000)
    assert {"to", "http_status", "ms"} <= put.keys()
    assert b"connected" in notices
    assert cpo.peer is None


async def test_a_party_without_an_invitation_waits_to_be_connected_and_says_how(strangers: Pair) -> None:
    cpo, notices = strangers.cpo, asyncio.Queue[str]()
    running = asyncio.create_task(run_emsp(on_call=_silent, on_notice=notices.put_nowait, leave=False))
    *_, url, credential = (await notices.get()).split()
    await cpo.register(url, credential)
    await cpo.wait_for(lambda received: received.module == "tokens", timeout=10)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)


async def test_a_party_may_be_reached_by_another_name_than_its_address(strangers: Pair) -> None:
    cpo, notices = strangers.cpo, asyncio.Queue[str]()
    running = asyncio.create_task(
        run_emsp(host="0.0.0.0", name="localhost", on_call=_silent, on_notice=notices.put_nowait, leave=False)
    )
    *_, url, credential = (await notices.get()).split()
    assert url.startswith("http://localhost:")
    peer = await cpo.register(url, credential)
    assert all(endpoint.startswith("http://localhost:") for endpoint in peer.endpoints.values())
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)


async def test_sigusr1_goes_through_the_faults_and_back_to_none(strangers: Pair) -> None:
    cpo, notices = strangers.cpo, asyncio.Queue[str]()
    running = asyncio.create_task(
        run_emsp(
            cpo.versions_url,
            cpo.invite(),
            faults=["500", "html"],
            on_call=_silent,
            on_notice=notices.put_nowait,
        )
    )
    await notices.get()
    await cpo.wait_for(lambda received: received.module == "tokens", timeout=10)
    told = []
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR1)
        told.append(await asyncio.wait_for(notices.get(), 5))
    assert told == ["fault: html", "fault: none", "fault: 500"]
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(running, 10)


async def test_a_refused_registration_is_a_sentence(strangers: Pair) -> None:
    with pytest.raises(SampleFailed, match=r"DE-EMS could not register: GET versions at http.*HTTP 401"):
        await run_emsp(strangers.cpo.versions_url, "wrong", on_call=_silent)


async def test_a_taken_port_is_a_sentence() -> None:
    async with sample_cpo() as other:
        with pytest.raises(SampleFailed, match=f"port {other.port} is taken"):
            await run_cpo(port=other.port, on_call=_silent)


async def test_an_unknown_fault_is_a_sentence_with_those_there_are() -> None:
    with pytest.raises(SampleFailed, match=f"fire.*{Fault.SLOW}, {Fault.HANG}"):
        await run_cpo(faults=["fire"], on_call=_silent)


def _silent(_: Call) -> None:
    pass
