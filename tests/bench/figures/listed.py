"""GET all: pages of a hundred Locations from the first to the last of a list, among ten times as many as well."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

import aiohttp
import orjson
from yarl import URL

from connectors import headers
from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import HUB, Caller, pages
from tests.bench.fill import fill, fill_mongo
from tests.bench.hubs import Hub
from tests.bench.measure import Sample, measured
from tests.bench.plan import Plan
from tests.bench.report import Bar, Result, absolute, notes, say, voided
from tests.bench.rounds import Round, alternate, rate_ratio
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, Upstream, upstream

_PAGE = 100
_ASKED = 50  # pages all over a list
_CONNECTIONS = 8
_LIST = "/ocpi/2.2.1/sender/locations"
_COUNTED_SECONDS = 120.0


class _Listed:
    """A hub with so many Locations, and pages of their list as whoever follows Link asks for them."""

    def __init__(self, hub: Hub, caller: Caller, objects: int) -> None:
        self.hub = hub
        self.caller = caller
        self.objects = objects
        self.paths: list[bytes] = []
        self.deepest_ms = 0.0

    async def look(self) -> None:
        """Find the pages. Raises RuntimeError where one is not as it must be."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            for at in range(_ASKED):
                offset = at * self.objects // _ASKED
                began = time.perf_counter()
                self.paths.append((await self._page(session, offset)).encode())
                self.deepest_ms = (time.perf_counter() - began) * 1000

    async def _page(self, session: aiohttp.ClientSession, offset: int) -> str:
        """The path of the page behind the one at this offset."""
        head = self.caller.head("GET", b"/").decode().split("\r\n")[2:-2]
        sent = dict(line.split(": ", 1) for line in head)
        sent[headers.REQUEST_ID] = sent[headers.CORRELATION_ID]
        url = f"http://127.0.0.1:{self.hub.port}{_LIST}?offset={offset}&limit={_PAGE}"
        until = time.perf_counter() + _COUNTED_SECONDS
        while True:
            async with session.get(url, headers=sent) as answer:
                body = await answer.read()
            if answer.status != 503 or time.perf_counter() > until:  # so long the list is being counted
                break
            await asyncio.sleep(1)
        listed = orjson.loads(body).get("data") or []
        total, link = answer.headers.get("X-Total-Count"), answer.links.get("next")
        if len(listed) != _PAGE or total != str(self.objects) or link is None:
            raise RuntimeError(f"{url}: HTTP {answer.status}, {len(listed)} objects of {total}: {body[:300]!r}")
        return URL(str(link["url"])).raw_path_qs


async def listed(bench: Bench, plan: Plan) -> list[Result]:
    """The embedded engine: a hub with either store."""
    async with upstream(bench) as others, AsyncExitStack() as stack:
        hubs = {}
        for name, objects in (("few", plan.locations), ("many", plan.many_locations)):
            some = replace(plan, locations=objects, tokens=0)

            async def prepare(data: Path, some: Plan = some) -> None:
                await fill(data, some)

            hub = await stack.enter_async_context(bench.hub(f"listed-{name}", prepare))
            hubs[name] = await _ready(hub, others, name, objects)
        return [await _measured("", bench, plan, hubs["few"], hubs["many"])]


async def mongo_listed(bench: Bench, plan: Plan) -> list[Result]:
    """MongoDB: an edge with either database."""
    await bench.engines.start()
    async with upstream(bench) as others, AsyncExitStack() as stack:
        hubs = {}
        for name, objects in (("few", plan.locations), ("many", plan.many_locations)):
            await fill_mongo(bench.engines.store(f"listed-{name}"), replace(plan, locations=objects, tokens=0))
            fleet = await stack.enter_async_context(bench.fleet(f"listed-{name}"))
            hubs[name] = await _ready(fleet.edge, others, name, objects)
        return [await _measured("MongoDB: ", bench, plan, hubs["few"], hubs["many"])]


async def _ready(hub: Hub, others: Upstream, name: str, objects: int) -> _Listed:
    await others.join(hub, f"{name}-cpo", CPO_PLATFORM)
    credential = await others.join(hub, f"{name}-emsp", EMSP_PLATFORM)
    await hub.complete(CPO, "locations")
    made = _Listed(hub, Caller(credential, EMSP, HUB), objects)
    await made.look()
    return made


async def _measured(engine: str, bench: Bench, plan: Plan, few: _Listed, many: _Listed) -> Result:
    core = min(bench.cores.tested)

    async def side(one: _Listed, seconds: float) -> Sample:
        step = len(one.paths) // _CONNECTIONS
        sources = [pages(one.caller, one.paths, at * step) for at in range(_CONNECTIONS)]
        return await measured(one.hub, core, sources, seconds)

    for one in (many, few):
        await side(one, min(1.0, plan.seconds))
    rounds = await alternate(
        f"{engine}GET all", plan.rounds, lambda: side(many, plan.seconds), lambda: side(few, plan.seconds),
        say, labels=(f"{many.objects:,}", f"{few.objects:,}"), told=lambda one: f"times {_slower(one):.2f}",
    )  # fmt: skip
    told = [
        _told(few, [one.reference for one in rounds.held]), _told(many, [one.hub for one in rounds.held]),
    ]  # fmt: skip
    return Result(
        f"{engine}GET all of {_PAGE}: time a page, {many.objects:,} locations / {few.objects:,}",
        Bar(1.3, at_least=False), rounds.middle(_slower), [_slower(one) for one in rounds.held],
        absolute(rounds, hub=True), absolute(rounds, hub=False), voided(rounds), [*told, *notes(rounds)],
    )  # fmt: skip


def _slower(one: Round) -> float:
    ratio = rate_ratio(one)
    return 1 / ratio if ratio else float("inf")


def _told(one: _Listed, samples: list[Sample]) -> str:
    p50, p99 = (median(of) for of in ([some.p50_ms for some in samples], [some.p99_ms for some in samples]))
    last = one.objects - one.objects // _ASKED
    return (
        f"{one.objects:,}: p50 {p50:.1f} ms, p99 {p99:.1f} ms on {_CONNECTIONS} connections; the page at the offset "
        f"{last:,}, where there is no cursor, took {one.deepest_ms:.0f} ms"
    )
