"""Who may use a rewritten URL, for what, and how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from connectors.errors import EngineAway, NotConnected, OcpiError, UnknownUrl
from connectors.values import PartyId, Role
from hub.keys import Keys
from hub.rewriter import Rewriter
from hub.sealed import MAX_URL, Rewrite
from routing.directory import Directory, Party, Platform, PlatformSettings, Status
from routing.store.memory import MemoryData, MemoryStore

NOW = 1_700_000_000_000
PATH = "/ocpi/2.2.1/receiver/cdrs"
CPO, EMSP = PartyId("NL", "TNM"), PartyId("DE", "EMS")
LONG = "https://emsp.example/cdrs/" + "".join(sha256(bytes((n,))).hexdigest() for n in range(4))

CALLER = Platform("p-cpo", parties=(Party(CPO, Role.CPO),), version="2.2.1", status=Status.CONNECTED)
TARGET = Platform(
    "p-emsp",
    parties=(Party(EMSP, Role.EMSP),),
    version="2.2.1",
    status=Status.CONNECTED,
    origins=("https://emsp.example:443",),
)
REWRITE = Rewrite("cdr", "p-cpo", "p-emsp", "https://emsp.example/cdrs/1", NOW + 1000, to=EMSP, sender=CPO)


class Clock:
    def __init__(self) -> None:
        self.utc = NOW

    def __call__(self) -> int:
        return self.utc


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore(MemoryData())
    await store.start()
    return store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rewriter(store: MemoryStore, clock: Clock) -> Rewriter:
    return Rewriter(Keys({"k": bytes(32)}), store, "https://hub.example/", now=clock)


def directory(*platforms: Platform) -> Directory:
    return Directory(platforms or (CALLER, TARGET), hub=PartyId("NL", "HUB"))


@pytest.mark.parametrize("url", [REWRITE.url, LONG])
async def test_a_url_leads_back_to_what_it_stands_for(rewriter: Rewriter, store: MemoryStore, url: str) -> None:
    rewrite = replace(REWRITE, url=url)
    given = await rewriter.rewrite("cdr", PATH, rewrite)
    base, _, ref = given.rpartition("/")
    assert base == "https://hub.example/ocpi/2.2.1/receiver/cdrs"
    assert len(given) <= MAX_URL
    assert len(store.data.urls) == (url == LONG)
    assert await rewriter.resolve("cdr", ref, "p-cpo", directory()) == rewrite


@pytest.mark.parametrize("base_path", ["a/b", "/a/b/"])
async def test_the_ref_comes_behind_one_slash(rewriter: Rewriter, base_path: str) -> None:
    given = await rewriter.rewrite("cdr", base_path, REWRITE)
    assert given.rpartition("/")[0] == "https://hub.example/a/b"


@pytest.mark.parametrize("url", [REWRITE.url, LONG])
async def test_only_for_whom_and_what_it_was_made_and_until_it_expires(
    rewriter: Rewriter, clock: Clock, url: str
) -> None:
    given = await rewriter.rewrite("cdr", PATH, replace(REWRITE, url=url))
    ref = given.rpartition("/")[2]
    with pytest.raises(UnknownUrl, match="another platform"):
        await rewriter.resolve("cdr", ref, "p-emsp", directory())
    with pytest.raises(UnknownUrl, match="another use"):
        await rewriter.resolve("command", ref, "p-cpo", directory())
    clock.utc = REWRITE.expires
    with pytest.raises(UnknownUrl, match="expired"):
        await rewriter.resolve("cdr", ref, "p-cpo", directory())


@pytest.mark.parametrize("url", [REWRITE.url, LONG])
@pytest.mark.parametrize(
    ("caller", "target", "error"),
    [
        (CALLER, replace(TARGET, removed=True), UnknownUrl),
        (CALLER, replace(TARGET, version=""), UnknownUrl),
        (CALLER, replace(TARGET, parties=(Party(EMSP, Role.EMSP, removed=True),)), UnknownUrl),
        (CALLER, replace(TARGET, parties=()), UnknownUrl),
        (CALLER, replace(TARGET, origins=("https://moved.example:443",)), UnknownUrl),
        (CALLER, replace(TARGET, parties=(Party(EMSP, Role.EMSP, suspended=True),)), NotConnected),
        (CALLER, replace(TARGET, status=Status.SUSPENDED), NotConnected),
        (replace(CALLER, removed=True), TARGET, UnknownUrl),
        (replace(CALLER, status=Status.SUSPENDED), TARGET, UnknownUrl),
        (CALLER, replace(TARGET, id="another"), UnknownUrl),
        (replace(CALLER, id="another"), TARGET, UnknownUrl),
    ],
)
async def test_both_platforms_must_still_be_there(
    rewriter: Rewriter, caller: Platform, target: Platform, error: type[OcpiError], url: str
) -> None:
    given = await rewriter.rewrite("cdr", PATH, replace(REWRITE, url=url))
    with pytest.raises(error):
        await rewriter.resolve("cdr", given.rpartition("/")[2], "p-cpo", directory(caller, target))


async def test_an_origin_that_the_operator_added_counts(rewriter: Rewriter) -> None:
    given = await rewriter.rewrite("cdr", PATH, REWRITE)
    target = replace(TARGET, origins=(), settings=PlatformSettings(origins=TARGET.origins))
    assert await rewriter.resolve("cdr", given.rpartition("/")[2], "p-cpo", directory(CALLER, target)) == REWRITE


@pytest.mark.parametrize("ref", ["", "x", "x" * 43, "é" * 43, "\udcff" * 43, "../" * 20, "x" * 5000])
async def test_what_the_hub_did_not_make_is_a_404(rewriter: Rewriter, ref: str) -> None:
    with pytest.raises(UnknownUrl):
        await rewriter.resolve("cdr", ref, "p-cpo", directory())


async def test_a_store_that_is_away_is_said_and_sealed_urls_do_without_it(
    rewriter: Rewriter, store: MemoryStore
) -> None:
    stored = await rewriter.rewrite("cdr", PATH, replace(REWRITE, url=LONG))
    store.away = "gone"
    given = await rewriter.rewrite("cdr", PATH, REWRITE)
    assert await rewriter.resolve("cdr", given.rpartition("/")[2], "p-cpo", directory()) == REWRITE
    calls: list[Callable[[], object]] = [
        lambda: rewriter.rewrite("cdr", PATH, replace(REWRITE, url=LONG)),
        lambda: rewriter.resolve("cdr", stored.rpartition("/")[2], "p-cpo", directory()),
    ]
    for call in calls:
        with pytest.raises(EngineAway):
            await call()  # type: ignore[misc]
