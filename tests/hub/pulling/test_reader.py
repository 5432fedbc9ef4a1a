"""Reading a list page by page: whose it is, where it goes on, what it lacks, and what is never taken for a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from connectors.client.client import Answer
from connectors.errors import HubError, NotConnected
from connectors.values import PartyId, Role
from hub.pulling import progress, reader
from hub.pulling.memory import MOST_AGAIN
from hub.pulling.progress import Plan, Progress, begun, readers, whose
from hub.pulling.reader import Reader
from routing import complete
from routing.directory import Directory, Party, Platform
from routing.event import Event, Operation, decode
from routing.log.port import Headers, Position
from routing.pulled import after_pull, read_key
from routing.state import ObjectState, StateKey
from routing.store.memory import MemoryStore
from routing.store.port import Lease
from tests.hub.edge.harness import CPO, EMSP, HUB, Clock, Sent, answer, platform

OTHER = PartyId("NL", "TWO")
NEXT = "https://cpo.example/sender/locations?offset={}&limit=2"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "REST_SECONDS", 0.0)


class Log:
    """Takes events for nobody, and has them stored as the worker would."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.events = store, list[Event]()
        self.offset = 100
        self.stored = True

    async def ends(self, topic: str) -> Mapping[int, Position]:
        assert topic in {"ocpi.locations", "ocpi.sessions"}
        return {number: Position(1, self.offset + 1) for number in range(4)}

    def publish_all(
        self, topic: str, records: Sequence[tuple[bytes, Headers, bytes]], *, within: float
    ) -> asyncio.Future[None]:
        assert within > 0
        return asyncio.ensure_future(self._take(topic, records))

    async def _take(self, topic: str, records: Sequence[tuple[bytes, Headers, bytes]]) -> None:
        for key, headers, value in records:
            event = decode(headers, value)
            assert (event.topic, event.key, event.audience) == (topic, key, None) and event.read is not None
            self.events.append(event)
            self.offset += 1
            before = self.store.data.states.get(read_key(event))
            state = after_pull(before, event, Position(1, self.offset), ())
            if state is not None and self.stored:
                await self.store.write_states([state])


class Peer:
    """The platform: its list by owner (None: the same for everyone), two objects a page."""

    def __init__(self, *ids: str) -> None:
        self.lists: dict[str | None, list[dict[str, Any]]] = {None: [body(id) for id in ids]}
        self.sent: list[Sent] = []
        self.failing: Callable[[Sent], None] = lambda sent: None
        self.link: str | None = None
        self.total: int | None = None

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        within: float,
        permit: Any = None,
    ) -> Answer:
        sent = Sent(method, url, headers, body, within)
        self.sent.append(sent)
        self.failing(sent)
        objects = self.lists.get(headers["OCPI-to-party-id"], self.lists[None])
        query = dict(parse_qsl(urlsplit(url).query))
        offset = int(query["offset"])
        more = {"Link": f'<{self.link or NEXT.format(offset + 2)}>; rel="next"'} if offset + 2 < len(objects) else {}
        content = orjson.dumps({"status_code": 1000, "data": objects[offset : offset + 2]})
        return answer(content, 200, X_Total_Count=str(self.total or len(objects)), **more)

    @property
    def asked(self) -> list[str]:
        return [dict(parse_qsl(urlsplit(one.url).query))["offset"] for one in self.sent]


def body(id: str, owner: PartyId = CPO) -> dict[str, Any]:
    return {"country_code": owner.country_code, "party_id": owner.party_id, "id": id, "last_updated": "2026"}


class Side:
    """A reader and all around it."""

    def __init__(self, peer: Peer, *parties: PartyId, others: Sequence[Platform] = ()) -> None:
        self.store, self.peer, self.clock = MemoryStore(), peer, Clock()
        self.platform = platform("cpo", *(Party(id, Role.CPO) for id in parties or (CPO,)))
        self.directory = Directory([self.platform, *others], hub=HUB)
        self.log = Log(self.store)
        self.signs: list[bool] = []
        self.reader = self.another()

    def another(self) -> Reader:
        """As in another process."""
        log: Any = self.log
        return Reader(
            store=self.store, log=log, client=self.peer, signs=self, clock=self.clock, within=30.0,
            directory=lambda: self.directory, authorize=lambda platform: f"Token {platform.id}",
        )  # fmt: skip

    def alive(self, platform: Platform) -> None:
        self.signs.append(platform.id == "cpo")

    def failed(self, platform: Platform) -> None:
        self.signs.append(platform.id != "cpo")

    async def lease(self) -> Lease:
        await self.store.start()
        return await self.store.acquire("pulling", "test", 60) or Lease("pulling", "test", 1)

    async def whole(
        self, lease: Lease, so_far: Progress | None = None, plan: Plan = Plan.WHOLE, module: str = "locations"
    ) -> Progress:
        beginning = begun(so_far, plan, whose(self.platform, module, readers(self.directory)), self.clock.utc())
        return await self.reader.read("cpo", module, beginning, lease)

    async def known(self) -> Progress:
        return (await progress.read(self.store))["cpo", "locations"]

    def there(self) -> set[str]:
        return {key.object_id for key, state in self.store.data.states.items() if not state.deleted}


async def test_a_list_is_read_to_its_end_as_the_hub_and_its_owner_is_complete_then() -> None:
    side = Side(Peer("L1", "L2", "L3", "L4", "L5"))
    ended = await side.whole(await side.lease())
    assert side.there() == {"L1", "L2", "L3", "L4", "L5"}
    assert (ended.pages, ended.objects, ended.total, ended.gone) == (3, 5, 5, 0)
    assert ended == await side.known() and ended.ended is not None and ended.whole == ended.last == ended.started
    assert (await complete.complete(side.store, "locations")).owners == {CPO}
    first = side.peer.sent[0]
    assert first.url == "https://cpo.example/sender/locations?offset=0&limit=100"
    assert (first.headers["OCPI-to-party-id"], first.headers["OCPI-from-party-id"]) == (CPO.party_id, HUB.party_id)
    assert side.signs == [True] * 3
    assert {event.read for event in side.log.events[:2]} == {Position(1, 101)}


async def test_a_page_limit_that_was_set_is_kept() -> None:
    side = Side(Peer("L1"))
    side.platform = replace(side.platform, settings=replace(side.platform.settings, page_limit=7))
    side.directory = Directory([side.platform], hub=HUB)
    await side.whole(await side.lease())
    assert side.peer.sent[0].url.endswith("limit=7")


async def test_what_fails_is_read_on_from_the_page_that_failed() -> None:
    side = Side(Peer("L1", "L2", "L3", "L4", "L5"))
    lease = await side.lease()

    def away(sent: Sent) -> None:
        if "offset=2" in sent.url:
            raise NotConnected("refused")

    side.peer.failing = away
    with pytest.raises(NotConnected):
        await side.whole(lease)
    half = await side.known()
    assert (half.pages, half.next, half.ended) == (1, NEXT.format(2), None)
    assert not (await complete.complete(side.store, "locations")).owners and side.signs[-1] is False
    side.peer.failing = lambda sent: None
    assert side.reader.remembers("cpo", "locations", half)
    ended = await side.reader.read("cpo", "locations", half, lease)
    assert side.peer.asked == ["0", "2", "2", "4"]
    assert (ended.objects, side.there()) == (5, {"L1", "L2", "L3", "L4", "L5"})


async def test_what_a_whole_list_has_no_more_is_gone_unless_it_was_pushed_since() -> None:
    side = Side(Peer("L1", "L2", "L3"))
    lease = await side.lease()
    before = await side.whole(lease)
    side.peer.lists[None] = [body("L2")]
    late = ObjectState(StateKey(CPO, "locations", "L9", "", None), Position(1, 10_000), "2.2.1", b"{}")
    await side.store.write_states([late])
    ended = await side.whole(lease, before)
    assert (side.there(), ended.gone) == ({"L2", "L9"}, 2)
    assert {event.object_id for event in side.log.events if event.operation is Operation.DELETE} == {"L1", "L3"}


async def test_what_moves_to_a_page_that_was_read_already_is_not_missed() -> None:
    side = Side(Peer("L1", "L2", "L3", "L4", "L5"))

    def remove(sent: Sent) -> None:
        if "offset=2" in sent.url:
            side.peer.lists[None] = [one for one in side.peer.lists[None] if one["id"] != "L1"]

    side.peer.failing = remove
    await side.whole(await side.lease())
    assert side.there() >= {"L2", "L3", "L4", "L5"}
    assert side.peer.asked == ["0", "2", "1", "3"]


async def test_another_process_that_reads_on_takes_nothing_for_gone() -> None:
    side = Side(Peer("L1", "L2", "L3", "L4"))
    lease = await side.lease()
    side.peer.failing = lambda sent: (_ for _ in ()).throw(NotConnected("refused")) if "offset=2" in sent.url else None
    with pytest.raises(NotConnected):
        await side.whole(lease)
    half = await side.known()
    former, side.reader, side.peer.failing = side.reader, side.another(), lambda sent: None
    assert not side.reader.remembers("cpo", "locations", half)
    await side.reader.read("cpo", "locations", half, lease)
    assert side.there() == {"L1", "L2", "L3", "L4"}
    assert not former.remembers("cpo", "locations", await side.known()), "it did not see all pages"


async def test_by_dates_only_what_changed_is_asked_for_and_nothing_is_taken_for_gone() -> None:
    side = Side(Peer("L1", "L2"))
    lease = await side.lease()
    before = await side.whole(lease)
    side.peer.lists[None] = [body("L3")]
    ended = await side.whole(lease, before, Plan.DELTA)
    assert side.there() == {"L1", "L2", "L3"}
    assert "date_from=20" in side.peer.sent[-1].url and "Z&offset=0" in side.peer.sent[-1].url
    assert (ended.whole, ended.last) == (before.started, ended.started)


async def test_each_party_of_a_platform_is_asked_for_its_own_unless_one_list_has_them_all() -> None:
    side = Side(Peer("L1"), CPO, OTHER)
    side.peer.lists[OTHER.party_id] = [body("L2", OTHER)]
    await side.whole(await side.lease())
    assert side.there() == {"L1", "L2"}
    assert [sent.headers["OCPI-to-party-id"] for sent in side.peer.sent] == [CPO.party_id, OTHER.party_id]
    assert (await complete.complete(side.store, "locations")).owners == {CPO, OTHER}
    both = Side(Peer(), CPO, OTHER)
    both.peer.lists[None] = [body("L1"), body("L2", OTHER), body("L3", PartyId("FR", "NOT"))]
    ended = await both.whole(await both.lease())
    assert (both.there(), both.peer.asked, ended.foreign) == ({"L1", "L2"}, ["0", "2", "0"], 1)


async def test_an_object_of_another_party_in_a_list_makes_it_no_list_of_that_party() -> None:
    side = Side(Peer(), CPO, OTHER)
    side.peer.lists |= {CPO.party_id: [body("L1"), body("L2", OTHER)]}
    side.peer.lists |= {OTHER.party_id: [body("L2", OTHER), body("L3", OTHER), body("L4", OTHER)]}
    await side.whole(await side.lease())
    assert side.there() == {"L1", "L2", "L3", "L4"}


async def test_a_list_that_ends_before_its_total_is_not_taken_for_whole() -> None:
    side = Side(Peer("L1", "L2", "L3"))
    lease = await side.lease()
    before = await side.whole(lease)
    side.peer.lists[None] = [body("L1")]
    side.peer.total = 3
    with pytest.raises(HubError, match="ends after 1 objects, and its X-Total-Count is 3"):
        await side.whole(lease, before)
    assert side.there() == {"L1", "L2", "L3"}
    await side.whole(lease, before, Plan.DELTA)  # a total may be that of the whole list there


async def test_a_list_that_goes_round_is_given_up_and_stays_so() -> None:
    side = Side(Peer("L1", "L2", "L3", "L4"))
    lease = await side.lease()

    def round_and_round(sent: Sent) -> None:
        side.peer.link = NEXT.format("2" if "offset=0" in sent.url else "0") + f"&n={len(side.peer.sent)}"

    side.peer.lists[None] += side.peer.lists[None]
    side.peer.failing = round_and_round
    with pytest.raises(HubError, match="go round"):
        await side.whole(lease)
    pages = len(side.peer.sent)
    assert pages <= 2 * MOST_AGAIN + 1
    with pytest.raises(HubError, match="go round"):
        await side.reader.read("cpo", "locations", await side.known(), lease)
    assert len(side.peer.sent) == pages + 1 and len(side.log.events) <= 4 * MOST_AGAIN


async def test_p9_sessions_are_read_for_the_party_of_their_cdr_token_alone_and_never_gone() -> None:
    emsp = platform("emsp", Party(EMSP, Role.EMSP))
    side = Side(Peer(), others=[emsp])
    nobody = PartyId("FR", "NOT")

    def session(id: str, emsp: PartyId) -> dict[str, Any]:
        return body(id) | {"cdr_token": {"country_code": emsp.country_code, "party_id": emsp.party_id, "uid": "1"}}

    side.peer.lists[None] = [session("S1", EMSP), session("S2", nobody), session("S3", EMSP)]
    lease = await side.lease()
    ended = await side.whole(lease, module="sessions")
    assert "date_from=2010-01-01T00:00:00Z&offset=0" in side.peer.sent[0].url
    assert set(side.store.data.states) == {StateKey(CPO, "sessions", id, "", EMSP) for id in ("S1", "S3")}
    assert (ended.objects, ended.foreign, ended.readers) == (2, 1, (str(EMSP),))
    known = await complete.complete(side.store, "sessions")
    assert known.to(EMSP) == {CPO} and not known.to(nobody)
    side.peer.lists[None] = [session("S3", EMSP)]
    side.directory = Directory([side.platform, emsp, platform("new", Party(nobody, Role.EMSP))], hub=HUB)
    side.peer.lists[None] += [session("S2", nobody)]
    ended = await side.whole(lease, ended, module="sessions")
    assert (ended.gone, side.there()) == (0, {"S1", "S2", "S3"})
    known = await complete.complete(side.store, "sessions")
    assert known.to(EMSP) == known.to(nobody) == {CPO}


@pytest.mark.parametrize(
    "link", ["https://elsewhere.example/locations?offset=2", "https://cpo.example:8443/x", "ftp://x"]
)
async def test_p12_a_next_page_elsewhere_is_not_followed(link: str) -> None:
    side = Side(Peer("L1", "L2", "L3"))
    side.peer.link = link
    with pytest.raises(HubError, match="not at an origin"):
        await side.whole(await side.lease())
    assert len(side.peer.sent) == 1


async def test_a_page_that_leads_to_itself_is_not_followed() -> None:
    side = Side(Peer("L1", "L2", "L3"))
    side.peer.link = "https://cpo.example/sender/locations?offset=0&limit=100"
    with pytest.raises(HubError, match="page itself"):
        await side.whole(await side.lease())


async def test_nobody_is_complete_while_no_worker_has_stored_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "STORED_SECONDS", 0.05)
    side = Side(Peer("L1"))
    side.log.stored = False
    with pytest.raises(HubError, match="no worker"):
        await side.whole(await side.lease())
    assert not (await complete.complete(side.store, "locations")).owners


async def test_what_an_operator_said_of_an_owner_outlives_what_was_read() -> None:
    side = Side(Peer("L1"))
    lease = await side.lease()
    await complete.declare(side.store, CPO, ["locations"], 5)
    await side.whole(lease)
    await complete.forget_pulled(side.store, CPO, "locations")
    assert (await complete.since(side.store, CPO))["locations"] == 5
    await complete.undo(side.store, CPO, ["locations"])
    await side.whole(lease)
    await complete.forget_pulled(side.store, CPO, "locations")
    assert not await complete.since(side.store, CPO)
