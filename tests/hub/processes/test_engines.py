"""Engines at the start: waited for while they are away, said, given up in the end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hub.processes import engines
from hub.processes.engines import open_engines, wait_for
from hub.processes.parts import CannotServe
from hub.settings import Settings
from routing.log.port import LogAway, LogError
from routing.store.port import StoreAway, Unusable


class FakeEngine:
    """Away for so many starts; `unusable` ends the first one."""

    def __init__(self, away: list[Exception], *, hangs: bool = False) -> None:
        self.away = away
        self.hangs = hangs
        self.started = self.closed = 0

    async def start(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise self.away.pop(0)
        self.started += 1

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SAY_SECONDS", 0.02)
    monkeypatch.setattr(engines, "AGAIN_SECONDS", 0.01)


async def test_an_engine_that_is_away_is_waited_for_and_said_with_its_reason() -> None:
    fake = FakeEngine([LogAway("nobody answers at h:9092")] * 6)
    async with AsyncExitStack() as stack:
        with capture_logs() as logged:
            assert await wait_for(lambda: fake, stack, name="the log kafka://h", within=60) is fake
        assert 1 <= len(logged) <= 5
        assert logged[0]["waits_for"] == "the log kafka://h" and logged[0]["reason"] == "nobody answers at h:9092"
    assert (fake.started, fake.closed) == (1, 1)


@pytest.mark.parametrize(
    ("fake", "reason"),
    [(FakeEngine([StoreAway("no primary")] * 99), "no primary"), (FakeEngine([], hangs=True), "it did not answer")],
)
async def test_it_is_given_up_with_a_sentence_in_the_end(fake: FakeEngine, reason: str) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotServe) as caught:
            await wait_for(lambda: fake, stack, name="the store mongodb://h", within=0.05)
    assert str(caught.value) == f"the store mongodb://h was not there within 0.05 s (HUB_START_SECONDS): {reason}"
    assert fake.closed == 0


async def test_a_wait_that_is_over_before_it_was_told_of_is_told_of_once() -> None:
    async with AsyncExitStack() as stack:
        with capture_logs() as logged, pytest.raises(CannotServe):
            await wait_for(lambda: FakeEngine([StoreAway("no primary")]), stack, name="the store", within=0)
    assert [(one["waits_for"], one["reason"], one["seconds_left"]) for one in logged] == [
        ("the store", "no primary", 0)
    ]


@pytest.mark.parametrize("wrong", [Unusable("it is of a newer release"), LogError("the topic lacks"), ValueError("x")])
async def test_what_waiting_does_not_mend_ends_the_start_at_once(wrong: Exception) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotServe, match=str(wrong)):
            await wait_for(lambda: FakeEngine([wrong]), stack, name="it", within=60)


async def test_both_are_opened_at_once_and_the_failure_of_one_ends_the_wait_for_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waiting, wrong = FakeEngine([LogAway("away")] * 9999), FakeEngine([Unusable("of a newer release")])
    monkeypatch.setattr(engines, "make_log", lambda *_, named: waiting)
    monkeypatch.setattr(engines, "make_store", lambda *_: wrong)
    settings = Settings(log="kafka://h:1", store="mongodb://h", data=tmp_path)  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotServe, match="of a newer release"):
            await open_engines(settings, stack, settle=1)
    assert waiting.started == 0


def test_the_embedded_hub_loads_neither_library() -> None:
    code = "import sys, hub.processes.serving; print([m for m in ('aiokafka', 'motor', 'pymongo') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
