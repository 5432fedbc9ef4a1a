"""Counts: in one process and in files of several, whatever ends those."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.counts import Counter, Counts, Family, Key, OwnCounts, cumulative
from hub.counts_file import FileCounts, read_folder
from hub.metrics import Metrics
from tests.hub.test_metrics import samples

EVENTS = Family("events", "Events", ("module",))
SECONDS = Family("seconds", "Seconds", ("module",), (0.1, 1.0))
LOCATIONS = Key("events", ("locations",), 1)


@pytest.fixture(params=["own", "file"])
def counts(request: pytest.FixtureRequest, tmp_path: Path) -> Counts:
    return OwnCounts() if request.param == "own" else FileCounts(tmp_path)


def test_each_label_set_has_numbers_of_its_own(counts: Counts) -> None:
    events, slot = Counter(counts, EVENTS), counts.slot(SECONDS, ("tokens",))
    events.add("locations")
    events.add("locations", by=2)
    events.add("tokens")
    counts.values[slot + 3] += 0.5
    assert counts.slot(SECONDS, ("tokens",)) == slot
    assert {key: list(numbers) for key, numbers in counts.read().items()} == {
        LOCATIONS: [3.0],
        Key("events", ("tokens",), 1): [1.0],
        Key("seconds", ("tokens",), 4): [0.0, 0.0, 0.0, 0.5],
    }


def test_a_histogram_is_told_cumulatively() -> None:
    assert cumulative(SECONDS, [2.0, 1.0, 4.0, 9.5]) == ([("0.1", 2.0), ("1.0", 3.0), ("+Inf", 7.0)], 9.5)


def test_processes_side_by_side_are_summed_by_whoever_is_asked(tmp_path: Path) -> None:
    one, two = FileCounts(tmp_path), FileCounts(tmp_path)
    Counter(one, EVENTS).add("locations", by=3)
    Counter(two, EVENTS).add("locations", by=4)
    assert one.read() == two.read() == {LOCATIONS: [7.0]}


def test_the_next_process_goes_on_with_the_file_of_one_that_ended(tmp_path: Path) -> None:
    former, beside = FileCounts(tmp_path), FileCounts(tmp_path)
    Counter(former, EVENTS).add("locations", by=3)
    former.close()
    following = FileCounts(tmp_path)
    Counter(following, EVENTS).add("locations")
    Counter(following, EVENTS).add("tokens")
    assert following.read()[LOCATIONS] == [4.0]
    assert beside.read()[Key("events", ("tokens",), 1)] == [1.0]
    assert len(list(tmp_path.glob("*.index"))) == 2


def test_what_a_process_counted_outlives_its_kill(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from hub.metrics import Metrics; from hub.counts_file import FileCounts\n"
        "metrics = Metrics(FileCounts(pathlib.Path(sys.argv[1])))\n"
        "for _ in range(1000): metrics.call('locations', 'GET', 'LOC-S2', 200, 1000, 0.02, 0.0002)\n"
        "os.kill(os.getpid(), 9)"
    )
    mine = Metrics(FileCounts(tmp_path))
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
        assert ended.returncode == -signal.SIGKILL
    mine.call("locations", "GET", "LOC-S2", 200, 1000, 0.02, 0.0002)
    assert list(samples(mine, "ocpi_hub_calls_total").values()) == [2001.0]
    assert list(samples(mine, "ocpi_hub_call_seconds_count").values()) == [2001.0]
    assert list(samples(mine, "ocpi_hub_call_seconds_sum").values()) == [pytest.approx(40.02)]


def test_a_line_that_its_process_was_killed_over_is_nothing(tmp_path: Path) -> None:
    former = FileCounts(tmp_path)
    Counter(former, EVENTS).add("locations")
    former.close()
    with (tmp_path / "counts-0.index").open("ab") as index:
        index.write(b'["events",["tok')
    assert read_folder(tmp_path) == {LOCATIONS: [1.0]}
    following = FileCounts(tmp_path)
    Counter(following, EVENTS).add("tokens")
    assert following.read() == {LOCATIONS: [1.0], Key("events", ("tokens",), 1): [1.0]}


def test_a_histogram_whose_bounds_a_release_changed_is_not_mixed_up(tmp_path: Path) -> None:
    former = FileCounts(tmp_path)
    former.values[former.slot(SECONDS, ("tokens",))] += 5
    former.close()
    following = FileCounts(tmp_path)
    wider = SECONDS._replace(bounds=(0.1, 1.0, 10.0))
    following.values[following.slot(wider, ("tokens",))] += 1
    assert following.read()[Key("seconds", ("tokens",), 5)] == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_a_file_that_is_full_costs_the_number_and_not_the_call(tmp_path: Path) -> None:
    counts = FileCounts(tmp_path, size=4 * 8)
    for module in ("a", "b", "c", "d", "e"):
        Counter(counts, EVENTS).add(module)
    assert len(counts.read()) == 3
    assert all(numbers == [1.0] for numbers in counts.read().values())


def test_the_file_has_all_its_room_from_the_start(tmp_path: Path) -> None:
    FileCounts(tmp_path)
    assert (tmp_path / "counts-0").stat().st_blocks * 512 >= 2**20
