"""The engines as fixtures of the suite, started on first need and shared by all its processes.

HUB_TEST_ENGINES says what becomes of tests on real engines where these cannot be had:
`auto` (the default) leaves them out and says so in one line, `required` lets them fail, `off` leaves them out always.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, TypeVar

import pytest

from tests.engines.databases import Databases
from tests.engines.engine import Engine
from tests.engines.fetch import NotHere, locked
from tests.engines.kafka import Kafka
from tests.engines.keeper import Kept
from tests.engines.mongo import Mongo
from tests.engines.stay import both

WISHES: Final = ("auto", "required", "off")
_LEFT_OUT: Final = "left out: "
_REQUIRED: Final = "HUB_TEST_ENGINES=required, but "
_FOLDER: Final = pytest.StashKey[Path]()
_KEPT: Final = pytest.StashKey[Kept]()

E = TypeVar("E", bound=Engine)


def wish() -> str:
    """What HUB_TEST_ENGINES says."""
    return os.environ.get("HUB_TEST_ENGINES") or "auto"


class Engines:
    """The engines of this run. What cannot be had ends the test that asks: skipped, or failed where it is required."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def kafka(self) -> Kafka:
        """The one that all tests share."""
        return self._shared(both()[0], Kafka)

    def mongo(self) -> Mongo:
        """The one that all tests share."""
        return self._shared(both()[1], Mongo)

    def own_kafka(self) -> Kafka:
        """One that no other test knows, started."""
        return self._start(Kafka(self._folder / f"own-kafka-{token_hex(4)}"))

    def own_mongo(self) -> Mongo:
        """One that no other test knows, started."""
        return self._start(Mongo(self._folder / f"own-mongo-{token_hex(4)}"))

    def _shared(self, stays: E, kind: type[E]) -> E:
        self._unless_off()
        if stays.running and stays.answers():
            return stays
        with locked(self._folder / f"{kind.name}.lock"):
            return self._start(kind(self._folder / kind.name))

    def _start(self, engine: E) -> E:
        self._unless_off()
        failed = self._folder / f"{engine.name}.not-here"
        if failed.exists():
            raise _none(*json.loads(failed.read_text()))
        try:
            return engine.start()
        except NotHere as error:
            failed.write_text(json.dumps([error.reason, error.remedy]))  # asked once, not by every process
            raise _none(error.reason, error.remedy) from None

    def _unless_off(self) -> None:
        if wish() == "off":
            pytest.skip(f"{_LEFT_OUT}HUB_TEST_ENGINES=off; to have them: unset it")


def _none(reason: str, remedy: str) -> BaseException:
    if wish() == "required":
        return pytest.fail.Exception(f"{_REQUIRED}{reason}; to have it: {remedy}", pytrace=False)
    return pytest.skip.Exception(f"{_LEFT_OUT}{reason}; to have it: {remedy}")


# --- fixtures --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def engines(pytestconfig: pytest.Config) -> Engines:
    """All of them, each started when it is asked for."""
    return Engines(pytestconfig.stash[_FOLDER])


@pytest.fixture(scope="session")
def kafka(engines: Engines) -> str:
    """A real Kafka that all tests share, as "127.0.0.1:PORT". Take a prefix of your own."""
    return engines.kafka().address


@pytest.fixture(scope="session")
def mongo(engines: Engines) -> str:
    """A real MongoDB that all tests share, as a URI without a database. Take a database of your own."""
    return engines.mongo().address


@pytest.fixture(scope="session")
def databases(mongo: str) -> Iterator[Databases]:
    """Databases on it that the tests of this process use one after another."""
    with Databases(mongo) as databases:
        yield databases


@pytest.fixture
def own_kafka(engines: Engines) -> Iterator[Kafka]:
    """A Kafka of this test alone, to be killed and paused."""
    yield from _removed(engines.own_kafka)


@pytest.fixture
def own_mongo(engines: Engines) -> Iterator[Mongo]:
    """A MongoDB of this test alone, to be killed and paused."""
    yield from _removed(engines.own_mongo)


def _removed(make: Callable[[], E]) -> Iterator[E]:
    engine = make()
    yield engine
    engine.remove()


# --- the run ---------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """A folder for the engines of this run; its keeper ends them, also when the run is interrupted or killed."""
    if wish() not in WISHES:
        raise pytest.UsageError(f"HUB_TEST_ENGINES is one of {', '.join(WISHES)}, not {wish()!r}")
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        config.stash[_FOLDER] = Path(worker["engines"])
        return
    folder = Path(tempfile.mkdtemp(prefix="ocpi-hub-engines-"))
    config.stash[_FOLDER], config.stash[_KEPT] = folder, Kept(folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Every process of pytest-xdist has the same folder."""
    node.workerinput["engines"] = str(node.config.stash[_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """The end of the run."""
    kept = config.stash.get(_KEPT, None)
    if kept is not None:
        kept.end()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line on what was left out, why, and how to get it."""
    stats = terminalreporter.stats
    skipped = [str(report.longrepr[2]) for report in stats.get("skipped", []) if isinstance(report.longrepr, tuple)]
    why = [text.partition(_LEFT_OUT)[2] for text in skipped if _LEFT_OUT in text]
    if why:
        terminalreporter.write_line(f"{len(why)} tests on real engines were left out: {'; '.join(sorted(set(why)))}")
    errors = [str(report.longrepr) for report in stats.get("error", [])]
    missed = {text[text.index(_REQUIRED) :].splitlines()[0] for text in errors if _REQUIRED in text}
    for sentence in sorted(missed):
        terminalreporter.write_line(sentence)
