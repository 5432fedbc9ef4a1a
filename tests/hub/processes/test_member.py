"""A worker's name is no second process's before the last of the first one has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hub.engine_url import EngineUrl
from hub.processes import member
from hub.processes.member import hold_name
from hub.processes.parts import CannotServe
from hub.settings import Settings


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "LOOK_SECONDS", 0.005)


def settings(name: str = "w1", *, server: str = "h:1", start_seconds: float = 0.05) -> Settings:
    return Settings(log=EngineUrl(f"kafka://{server}"), member=name, start_seconds=start_seconds)


def test_a_name_that_is_held_is_refused_with_a_sentence(tmp_path: Path) -> None:
    held = hold_name(settings(), tmp_path)
    assert held is not None
    with pytest.raises(CannotServe, match="HUB_MEMBER"):
        hold_name(settings(), tmp_path)
    for other in (settings("w2"), settings(server="g:1")):
        assert hold_name(other, tmp_path) is not None
    os.close(held)
    assert hold_name(settings(), tmp_path) is not None


def test_it_is_held_by_whoever_inherits_it_and_waited_for(tmp_path: Path) -> None:
    held = hold_name(settings(), tmp_path)
    assert held is not None
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(held,)
    ) as child:
        os.close(held)
        with pytest.raises(CannotServe):
            hold_name(settings(), tmp_path)
        threading.Timer(0.1, child.kill).start()
        assert hold_name(settings(start_seconds=30), tmp_path) is not None


def test_without_a_name_or_kafka_nothing_is_held(tmp_path: Path) -> None:
    assert hold_name(settings(""), tmp_path) is None
    assert hold_name(Settings(member="w1"), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
