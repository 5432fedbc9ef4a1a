"""What a run of the suite does where the engines cannot be had, and that a run leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engines.process import FILE, ROOT, Process

CONFTEST = 'pytest_plugins = ["tests.engines.plugin"]\n'
NEEDS = """
def test_one(kafka): pass
def test_two(kafka): pass
def test_three(): pass
"""
HOLDS = """
import time
from pathlib import Path

from tests.engines.process import Process

def test_holds(engines):
    folder = engines._folder / "held"
    folder.mkdir()
    Process(folder).begin(["sleep", "600"])
    Path("held").write_text(str(folder))
    time.sleep(600)
"""


def environment(tmp_path: Path, wish: str) -> dict[str, str]:
    """One without Java and Maven, and with nothing fetched."""
    (tmp_path / "bin").mkdir()
    return {
        "PATH": str(tmp_path / "bin"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HUB_ENGINES_FOLDER": str(tmp_path / "none of make engines"),
        "PYTHONPATH": str(ROOT),
        "HUB_TEST_ENGINES": wish,
    }


def command(tmp_path: Path, test: str, *words: str) -> list[str]:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(test)
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "-q", *words]


def outcome(tmp_path: Path, wish: str, *words: str) -> tuple[int, list[str]]:
    ran = subprocess.run(
        command(tmp_path, NEEDS, *words), cwd=tmp_path, env=environment(tmp_path, wish),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ran.returncode, ran.stdout.splitlines()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "spread"])
def test_without_java_the_tests_are_left_out_and_one_line_says_why(tmp_path: Path, workers: tuple[str, ...]) -> None:
    code, lines = outcome(tmp_path, "auto", *workers)
    assert code == 0
    said = [line for line in lines if "Java" in line]
    assert said == [
        "2 tests on real engines were left out: there is no Java; to have it: apt-get install default-jre-headless"
    ]
    assert "1 passed, 2 skipped" in lines[-1]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "spread"])
def test_where_they_are_required_their_absence_fails_the_run(tmp_path: Path, workers: tuple[str, ...]) -> None:
    code, lines = outcome(tmp_path, "required", *workers)
    assert code == 1
    sentence = "HUB_TEST_ENGINES=required, but there is no Java; to have it: apt-get install default-jre-headless"
    assert lines.count(sentence) >= 1
    assert "1 passed, 2 errors" in lines[-1]


def test_off_leaves_them_out(tmp_path: Path) -> None:
    code, lines = outcome(tmp_path, "off")
    assert code == 0
    assert "2 tests on real engines were left out: HUB_TEST_ENGINES=off; to have them: unset it" in lines


def test_another_word_is_refused(tmp_path: Path) -> None:
    assert outcome(tmp_path, "perhaps")[0] == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_run_that_is_interrupted_leaves_no_engine_behind(tmp_path: Path, number: signal.Signals) -> None:
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background is deaf to it
    try:
        run = subprocess.Popen(
            command(tmp_path, HOLDS), cwd=tmp_path, env=environment(tmp_path, "auto") | {"PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, former)
    named = tmp_path / "held"
    wait(lambda: named.exists() and Path(named.read_text() or "/nowhere").joinpath(FILE).exists())
    folder = Path(named.read_text())
    held = Process(folder)
    found = held.identity
    assert found is not None
    assert found.running
    run.send_signal(number)
    run.wait(60)
    wait(lambda: not found.running)
    wait(lambda: not folder.parent.exists())


def wait(until: object) -> None:
    """Until it is so. Raises AssertionError where it does not become so."""
    assert callable(until)
    end = time.monotonic() + 30
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)
