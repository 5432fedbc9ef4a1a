"""The doctor finds what is wrong, each thing alone, says what to do, and changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from hub import keys as hub_keys
from hub.cli.main import app
from hub.doctor.engines import clock
from hub.doctor.examine import examine, healthy
from hub.doctor.finding import Finding, State
from hub.doctor.keys import keys
from hub.keys import Keys
from hub.settings import load
from routing.store.embedded import EmbeddedStore
from routing.store.embedded.schema import FILE
from routing.store.mongo import MongoStore
from tests.hub.operator.operating import KEY, Operating, operating

WRONG, WARNING, RIGHT, UNKNOWN = State.WRONG, State.WARNING, State.RIGHT, State.UNKNOWN


def ring(id: str = "k1", byte: int = 7) -> str:
    return f"{id}:{b64encode(bytes([byte]) * 32).decode()}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in os.environ:
        if name.startswith("HUB_"):
            monkeypatch.delenv(name)
    port, operator = free_port(), free_port()
    folder = tmp_path / "data"
    for name, value in {
        "HUB_DATA": str(folder),
        "HUB_PORT": str(port),
        "HUB_OPERATOR_PORT": str(operator),
        "HUB_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operating]:
    """An operator port that runs; there is no edge beside it."""
    with capture_logs():
        async with operating() as made:
            monkeypatch.setenv("HUB_OPERATOR_URL", made.base)
            monkeypatch.setenv("HUB_OPERATOR_KEY", KEY)
            yield made


async def found() -> dict[str, Finding]:
    """By what was looked at: the worst finding of each."""
    order = [RIGHT, UNKNOWN, WARNING, WRONG]
    worst: dict[str, Finding] = {}
    for one in await examine():
        assert one.found and not one.found.endswith(".")
        assert one.do or one.state in (RIGHT, UNKNOWN, WARNING)
        if one.what not in worst or order.index(one.state) > order.index(worst[one.what].state):
            worst[one.what] = one
    return worst


async def made(folder: Path, with_keys: Keys | None = None) -> None:
    """The data of a hub, with its keys proved in it."""
    store = EmbeddedStore(folder)
    await store.start()
    await hub_keys.check(with_keys or Keys.load_or_make(folder), store)
    await store.close()


async def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(data: Path) -> None:
    told = await found()
    assert {what: one.state for what, one in told.items()} == {
        "settings": WARNING, "data folder": RIGHT, "log": RIGHT, "topics": RIGHT, "store": RIGHT, "keys": RIGHT,
        "hub": WARNING, "public URL": UNKNOWN,
    }  # fmt: skip
    assert "ocpi-hub serve" in told["hub"].do
    assert not data.exists()


async def test_wrong_settings_are_all_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PARTY", "x")
    monkeypatch.setenv("HUB_PUBIC_URL", "x")
    told = await examine()
    assert [(one.what, one.state) for one in told] == [("settings", WRONG)] * 2


async def test_a_folder_that_is_a_file(data: Path) -> None:
    data.write_text("x")
    assert (await found())["data folder"].state is WRONG


async def test_the_keys_of_the_data_are_proved_and_the_file_is_not_touched(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(data)
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    told = await found()
    assert (told["keys"].state, told["store"].state) == (RIGHT, RIGHT)
    after = {path.name: path.read_bytes() for path in data.iterdir() if path.suffix not in (".db-shm", ".db-wal")}
    assert after == {name: content for name, content in before.items() if name in after}
    monkeypatch.setenv("HUB_KEYS", ring())
    told = await found()
    assert (told["keys"].state, "HUB_KEYS" in told["keys"].found) == (WRONG, True)
    monkeypatch.delenv("HUB_KEYS")
    (data / hub_keys.FILE).unlink()
    assert (await found())["keys"].state is WRONG
    assert not (data / hub_keys.FILE).exists()


async def test_a_key_file_that_others_can_read(data: Path) -> None:
    await made(data)
    (data / hub_keys.FILE).chmod(0o644)
    told = (await found())["keys"]
    assert (told.state, "can be read by others" in told.found) == (WRONG, True)


def test_keys_of_a_store_that_was_not_reached_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys(load(), None).state is UNKNOWN
    monkeypatch.setenv("HUB_KEYS", ring())
    assert keys(load(), None).state is UNKNOWN
    monkeypatch.setenv("HUB_KEYS", "canary")
    told = keys(load(), None)
    assert (told.state, "canary" in told.found) == (WRONG, False)


async def test_a_store_that_is_none_and_one_of_a_newer_release(data: Path) -> None:
    data.mkdir()
    (data / FILE).write_bytes(b"no database at all, but long enough to be read as one" * 20)
    assert (await found())["store"].state is WRONG
    (data / FILE).unlink()
    await made(data)

    with sqlite3.connect(data / FILE) as connection:
        connection.execute("PRAGMA user_version=99")
    told = (await found())["store"]
    assert (told.state, "newer release (schema 99" in told.found) == (WRONG, True)


async def test_engines_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    port, sasl = free_port(), "security_protocol=SASL_PLAINTEXT&sasl_mechanism=PLAIN"
    monkeypatch.setenv("HUB_LOG", f"kafka://u:canary@127.0.0.1:{port}?{sasl}")
    monkeypatch.setenv("HUB_STORE", f"mongodb://u:canary@127.0.0.1:{port}/x?serverSelectionTimeoutMS=300")
    told = await found()
    assert (told["log"].state, told["topics"].state, told["store"].state) == (WRONG, UNKNOWN, WRONG)
    assert "HUB_LOG" in told["log"].do and "HUB_STORE" in told["store"].do
    assert "canary" not in str(told)


async def test_a_hub_that_runs_takes_the_key_and_is_ready(hub: Operating) -> None:
    told = await found()
    assert (told["hub"].state, told["operator key"].state) == (RIGHT, RIGHT)
    # nothing listens at the public URL of this one, though it runs
    assert (told["public URL"].state, "refuses connections" in told["public URL"].found) == (WRONG, True)
    hub.troubles.append("the log is away")
    told = await found()
    assert (told["hub"].state, told["hub"].found) == (WRONG, "it is not ready: the log is away")


async def test_a_key_that_the_hub_does_not_take(hub: Operating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OPERATOR_KEY", "another-key-than-that")
    assert (await found())["operator key"].state is WRONG


async def test_somebody_else_at_the_public_url(hub: Operating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PUBLIC_URL", hub.base)  # the operator port is not the edge, though it says 401 as well
    told = (await found())["public URL"]
    assert (told.state, "is not the answer of a hub" in told.found) == (WRONG, True)


@pytest.mark.parametrize(("ahead", "state"), [(0.2, RIGHT), (-0.2, RIGHT), (0.3, WRONG), (-9.0, WRONG)])
def test_clocks_that_differ(ahead: float, state: State) -> None:
    told = clock("the log", ahead)
    assert told.state is state
    if state is WRONG:
        assert ("ahead of" if ahead > 0 else "behind") in told.found
        assert "NTP" in told.do


async def test_the_command_prints_all_of_it_and_its_exit_code_says_whether_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(app, ["doctor", *words])
        return ended.exit_code, ended.stdout

    code, text = await asyncio.to_thread(run)
    assert (code, "-> start it" in text) == (0, True)
    monkeypatch.setenv("HUB_KEYS", "nonsense")
    code, text = await asyncio.to_thread(run, "--json")
    told = json.loads(text)
    assert (code, told["healthy"]) == (1, False)
    assert {"what", "state", "found", "do"} == set(told["findings"][0])
    assert not healthy([Finding("x", WRONG, "y", "z")])


async def test_real_engines_are_reached_and_judged(kafka: str, mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = f"doctor{os.getpid()}"
    monkeypatch.setenv("HUB_LOG", f"kafka://{kafka}?prefix={database}.&single_node=true")
    monkeypatch.setenv("HUB_STORE", mongo.replace("/?", f"/{database}?"))
    monkeypatch.setenv("HUB_KEYS", ring())
    monkeypatch.setenv("HUB_OPERATOR_KEY", KEY)
    told = await found()
    assert (told["log"].state, told["store"].state, told["clock"].state) == (RIGHT, RIGHT, RIGHT)
    assert (told["topics"].state, "topics create" in told["topics"].do) == (WRONG, True)
    assert "no hub used this database yet" in told["store"].found
    ended = await asyncio.to_thread(lambda: CliRunner().invoke(app, ["topics", "create", "--partitions", "1"]))
    assert ended.exit_code == 0, ended.output
    assert (await found())["topics"].state is not WRONG

    store = MongoStore(load().store.get_secret_value())
    await store.start()
    await hub_keys.check(Keys.parse(ring("k0", 9)), store)
    await store.close()
    assert (await found())["keys"].state is WRONG
    monkeypatch.setenv("HUB_KEYS", f"{ring()},{ring('k0', 9)}")
    told = await found()
    assert (told["keys"].state, told["store"].found) == (RIGHT, "MongoDB answers, with the data of a hub")
