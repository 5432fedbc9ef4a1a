"""The benchmark's own rules: what counts as a right answer, what a void round is, what is held; without a hub."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import chain, repeat
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from connectors import headers
from connectors.v2_2_1.findings import read
from connectors.v2_2_1.models import Location, Session, StartSession, Token
from routing.log.port import Position
from routing.state import ObjectState
from routing.store.memory import MemoryData, MemoryStore
from tests.bench import bodies
from tests.bench.__main__ import there
from tests.bench.calls import HUB, Caller, authorizations, location_get, location_pushes, pages, scattered, starts
from tests.bench.load import closed_loop
from tests.bench.measure import Sample
from tests.bench.open_loop import Crowd, open_loop
from tests.bench.reference_accept import FILE, Accepting, journal_at
from tests.bench.reference_proxy import Proxy
from tests.bench.report import Bar, Result, table
from tests.bench.rounds import VOID_ALLOWED, alternate, rate_ratio, warmed
from tests.bench.upstream import Connection, Platform, response
from tests.bench.watch import location_keys, until

CALLER = Caller("secret", bodies.EMSP, bodies.CPO)


@asynccontextmanager
async def serving(platform: Platform) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(platform), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Wrong(Platform):
    """Gives one wrong answer, the tenth."""

    def answer(self, method: bytes, path: bytes, body: bytes) -> bytes:
        right = super().answer(method, path, body)
        return response(b'{"status_code":2001}') if self.calls == 10 else right


def test_bodies_are_right_ocpi() -> None:
    location = bodies.location_template() % (7, 12)
    assert len(location) == bodies.LOCATION_BYTES
    assert read(Location, location)[1] == ()
    assert read(Token, bodies.token_template() % (7, 12))[1] == ()
    assert read(Session, bodies.session_template(bodies.EMSP) % (7, 12))[1] == ()
    assert bodies.marker(12) in location and bodies.marker(13) not in location


# --- the load --------------------------------------------------------------------------------------------------------


async def test_every_object_ends_with_the_state_that_was_pushed_last() -> None:
    platform = Platform("emsp", [])
    pushes = location_pushes(CALLER, 40)
    async with serving(platform) as port:
        load = await closed_loop(port, pushes.sources(8), 0.2)
    assert load.wrong == 0 and load.calls > 100
    assert load.calls + load.late == len(load.latencies) == platform.calls
    expected = {path.encode(): marker.encode() for path, marker in pushes.expected().items()}
    assert len(expected) == 40
    assert platform.behind(expected) == 0
    assert platform.behind({path: bodies.marker(10**9) for path in expected}) == 40


async def test_a_wrong_answer_ends_a_closed_loop_and_is_told() -> None:
    async with serving(Wrong("cpo", [])) as port:
        load = await closed_loop(port, [location_get(CALLER) for _ in range(4)], 5.0)
    assert load.wrong == 1 and "2001" in load.first_wrong
    assert load.seconds < 2


async def test_a_closed_loop_ends_after_so_many_calls() -> None:
    platform = Platform("cpo", [])
    async with serving(platform) as port:
        load = await closed_loop(port, [location_get(CALLER) for _ in range(4)], 60.0, most=100)
    assert (load.calls, load.wrong) == (100, 0)
    assert platform.calls == load.calls + load.late <= 104


async def test_an_open_loop_to_the_end_outlives_a_wrong_answer() -> None:
    async with serving(Wrong("cpo", [])) as port:
        load = await open_loop(port, location_get(CALLER), connections=4, rate=1000, samples=50, to_the_end=True)
    assert (load.calls, load.wrong) == (50, 1)
    assert len(load.begun) == len(load.latencies) == 50


async def test_an_open_loop_makes_connections_as_it_needs_them_and_leaves_out_those_that_were_closed() -> None:
    class Closing(Connection):
        """One answer a connection."""

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._transport.close()

    platform = Platform("cpo", [])
    server = await asyncio.get_running_loop().create_server(lambda: Closing(platform), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    crowd = Crowd(port, location_get(CALLER), 2, 10, to_the_end=False)
    await crowd.open(2)
    for number in range(1, 11):
        crowd.tick([time.perf_counter()])
        async with asyncio.timeout(30):
            while sum(not one.alive for one in crowd._made) < number:  # each is closed once it has answered
                await asyncio.sleep(0.001)
    server.close()
    assert (crowd.load.calls, crowd.load.wrong, platform.calls) == (10, 0, 10)
    assert crowd.ended.is_set()
    await crowd.close()


async def test_an_open_loop_keeps_its_rate() -> None:
    async with serving(Platform("cpo", [])) as port:
        load = await open_loop(port, location_get(CALLER), connections=4, rate=1000, samples=300)
    assert (load.calls, load.wrong) == (300, 0)
    assert 0.25 < load.seconds < 5
    assert 0 < load.percentile(50) <= load.percentile(99)


async def test_calls_without_to_name_each_object_once_before_one_comes_again() -> None:
    caller = Caller("secret", bodies.EMSP, None)
    start = starts(caller, "http://127.0.0.1:1/answer", scattered(50))
    requests = [start() for _ in range(100)]
    named = [request.partition(b'"location_id":"')[2][:7] for request in requests]
    assert len(set(named[:50])) == 50 and named[:50] == named[50:]
    assert headers.TO_PARTY.encode() not in requests[0] and headers.FROM_PARTY.encode() in requests[0]
    body = requests[0].partition(b"\r\n\r\n")[2]
    assert read(StartSession, body)[1] == () and b"Content-Length: %d\r\n" % len(body) in requests[0]
    async with serving(Platform("either", [])) as port:
        calls = [start, authorizations(caller, scattered(9)), pages(Caller("secret", bodies.EMSP, HUB), [b"/x?a=%2F"])]
        load = await closed_loop(port, calls, 60.0, most=30)
    assert (load.calls, load.wrong) == (30, 0)


# --- rounds and verdicts ---------------------------------------------------------------------------------------------


def sample(rate: float, wrong: int = 0) -> Sample:
    return Sample(rate, 1e6 / rate, 1.0, 2.0, 0.0, wrong, "HTTP 500" if wrong else "")


async def test_void_rounds_are_repeated_and_bounded() -> None:
    async def rounds(hub: Iterator[Sample]) -> tuple[list[float], int, bool]:
        async def ours() -> Sample:
            return next(hub)

        async def theirs() -> Sample:
            return sample(100)

        done = await alternate(
            "x", 3, ours, theirs, lambda _: None, labels=("hub", "proxy"), told=lambda one: f"{rate_ratio(one):.2f}"
        )
        return [rate_ratio(one) for one in done.held], len(done.void), done.too_many_void

    assert await rounds(iter((sample(50), sample(60, wrong=1), sample(70), sample(80)))) == ([0.5, 0.7, 0.8], 1, False)
    always = chain((sample(50),), repeat(sample(60, wrong=1)))
    assert await rounds(always) == ([0.5], VOID_ALLOWED + 1, True)


@pytest.mark.parametrize(
    ("bar", "value", "failed", "held"),
    [
        (Bar(0.65), 0.65, [], True),
        (Bar(0.65), 0.64, [], False),
        (Bar(0.3, at_least=False), 0.3, [], True),
        (Bar(0.3, at_least=False), 0.31, [], False),
        (Bar(0.3), 0.9, ["2 resync marks were set"], False),
    ],
)
def test_a_figure_is_held_or_missed(bar: Bar, value: float, failed: list[str], held: bool) -> None:
    result = Result("figure", bar, value, [value], "5,000/s", "6,000/s", failed)
    assert result.held is held
    assert ("held" in table([result], judged=True)) is held
    assert "not judged" in table([result], judged=False)


def test_a_figure_without_rounds_is_missed() -> None:
    assert not Result("figure", Bar(0.3, at_least=False), 0.0, [], "", "").held


# --- references ------------------------------------------------------------------------------------------------------


async def test_the_proxy_passes_both_ways_untouched() -> None:
    platform = Platform("emsp", [])
    async with serving(platform) as port:
        proxy = Proxy(f"http://127.0.0.1:{port}")
        app = web.Application()
        app.cleanup_ctx.append(proxy.lifetime)
        app.router.add_route("*", "/{path:.*}", proxy.forward)
        async with TestClient(TestServer(app)) as client:
            body = bodies.location_template() % (1, 1)
            answer = await client.put("/ocpi/2.2.1/receiver/locations/NL/TNM/L000001?a=%2F", data=body)
            assert (answer.status, await answer.read()) == (200, bodies.ACCEPTED)
            assert platform.last == {b"locations/NL/TNM/L000001": body}
            got = await client.get("/ocpi/2.2.1/sender/locations/L000001")
            assert await got.read() == bodies.location_answer()


async def test_what_the_accepting_reference_took_is_in_its_file(tmp_path: Path) -> None:
    caller = Caller("secret", bodies.CPO, HUB)
    accepting = Accepting(journal_at(str(tmp_path)), {sha256(caller.authorization.encode()).digest(): "cpo"})
    app = web.Application()
    app.cleanup_ctx.append(accepting.lifetime)
    app.router.add_route("PUT", "/{path:.*}", accepting.accept)
    body = bodies.location_template() % (1, 1)
    async with TestClient(TestServer(app)) as client:
        sent = {"Authorization": caller.authorization}
        assert (await (await client.put("/x", data=body, headers=sent)).json())["status_code"] == 1000
        refused = await client.put("/x", data=body.replace(b'"publish":true', b'"publish":"yes"'), headers=sent)
        assert (await refused.json())["status_code"] == 2001
        assert (await client.put("/x", data=body)).status == 401
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute("SELECT body FROM accepted").fetchall() == [(body,)]
    connection.close()


# --- engines ---------------------------------------------------------------------------------------------------------


def test_figures_that_need_engines_are_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TEST_ENGINES", "off")
    names, left_out = there(["relay", "backlog", "kafka-directed"])
    assert names == ["relay"]
    assert "backlog, kafka-directed" in left_out and "HUB_TEST_ENGINES=off" in left_out
    assert there(["relay"]) == (["relay"], "")


async def test_states_that_are_not_the_last_are_told_from_outside() -> None:
    store = MemoryStore(MemoryData())
    await store.start()
    pushes = location_pushes(Caller("secret", bodies.CPO, HUB), 3)
    next(source for source in pushes.sources(1))()
    expected = location_keys(pushes.expected())
    (key,) = expected
    number = pushes.last[int(key.object_id[1:])]

    async def write(offset: int, number: int) -> None:
        body = bodies.location_template() % (int(key.object_id[1:]), number)
        await store.write_states([ObjectState(key, Position(1, offset), "2.2.1", body=body)])

    assert (await until(store, expected, 0.0))[1] == 1
    await write(1, number - 1)
    assert (await until(store, expected, 0.0))[1] == 1
    await write(2, number)
    assert (await until(store, expected, 0.0))[1] == 0


async def test_a_side_is_warm_once_it_gets_no_faster() -> None:
    rates, told = iter([100.0, 180.0, 220.0, 225.0, 218.0, 400.0]), list[str]()

    async def side() -> Sample:
        return Sample(next(rates), 0.0, 0.0, 0.0, 0.0)

    await warmed(side, told.append)
    assert told == ["warm after 5 runs: 225/s"]
