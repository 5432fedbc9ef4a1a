"""GET all at the edge: one list of everybody's objects, its pages under change, its dates, and what is not complete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from connectors.values import PartyId, Role
from hub.edge.counting import KEPT_SECONDS
from hub.edge.getall import KNOWN_SECONDS
from routing import complete
from routing.agreements import Agreement, Effect, Rules
from routing.directory import Directory, Party
from routing.log.port import Position
from routing.state import ObjectState, Part, StateKey, unpublished
from tests.hub.edge.harness import CPO, EMSP, HUB, PUBLIC, Edge, Told, platform

OTHER = PartyId("FR", "CPO")
LIST = "/ocpi/2.2.1/sender/locations"
WHEN = "2026-03-01T10:00:00Z"
OTHER_PLATFORM = platform("other", Party(OTHER, Role.CPO))


def state(
    id: str, owner: PartyId = CPO, *, module: str = "locations", to: PartyId | None = None, at: int = 1, **fields: Any
) -> ObjectState:
    last_updated = fields.get("last_updated", WHEN)
    whole = {"country_code": owner.country_code, "party_id": owner.party_id, "id": id, "last_updated": last_updated}
    body = orjson.dumps(whole | {"publish": True} | fields)
    return ObjectState(
        StateKey(owner, module, id, "", to), Position(1, at), "2.2.1", body, last_updated=last_updated,
        unpublished=unpublished(module, body),
    )  # fmt: skip


class Lists(Edge):
    """An edge whose store has states, and owners that are complete."""

    async def put(self, *states: ObjectState) -> None:
        await self.store.start()
        await self.store.write_states(states)

    async def say(self, *owners: PartyId, module: str = "locations") -> None:
        for owner in owners:
            await complete.declare(self.store, owner, [module], 1)

    async def get(self, query: str = "", path: str = LIST, *, who: str = "emsp", to: PartyId | None = HUB) -> Told:
        return await self.call(who, "GET", path + (f"?{query}" if query else ""), to=to)

    async def pages(self, query: str, *, meanwhile: ObjectState | None = None) -> list[str]:
        """The ids of all pages, gone on with by Link and without TO; `meanwhile` is put after the first."""
        told = await self.get(query)
        found = ids(told)
        while link := told.headers.get("Link"):
            if meanwhile is not None:
                await self.put(meanwhile)
                meanwhile = None
            told = await self.call("emsp", "GET", url_of(link))
            found += ids(told)
        return found


def ids(told: Told) -> list[str]:
    assert told.answer == (200, 1000), told.envelope
    return [one["id"] for one in told.envelope["data"]]


def url_of(link: str) -> str:
    url, _, rel = link.partition(">; ")
    assert rel == 'rel="next"'
    return url.removeprefix("<")


@pytest.fixture
async def edge() -> Lists:
    made = Lists(*_platforms())
    await made.put()
    await made.say(CPO, OTHER)
    return made


def _platforms() -> tuple[Any, ...]:
    return platform("cpo", Party(CPO, Role.CPO)), platform("emsp", Party(EMSP, Role.EMSP)), OTHER_PLATFORM


async def test_everybodys_objects_are_one_list_in_their_owners_own_bytes(edge: Lists) -> None:
    mine = replace(state("L1"), body=b'{"id" : "L1",  "x": 1.10}')
    await edge.put(mine, state("L1", OTHER))
    told = await edge.get()
    assert told.raw.count(b'{"id" : "L1",  "x": 1.10}') == 1
    assert [one.get("party_id") for one in told.envelope["data"]] == ["CPO", None]
    assert (told.headers["X-Total-Count"], told.headers["X-Limit"]) == ("2", "100")
    assert "Link" not in told.headers and "status_message" not in told.envelope
    assert not edge.client.sent and not edge.log.events


async def test_an_empty_list_of_complete_owners_is_a_list(edge: Lists) -> None:
    told = await edge.get()
    assert (ids(told), told.headers["X-Total-Count"]) == ([], "0")


async def test_pages_are_linked_through_the_hub_with_the_filters_that_were_asked_for(edge: Lists) -> None:
    await edge.put(*(state(f"L{n}") for n in range(5)))
    told = await edge.get("date_from=2026-01-01T00:00:00Z&limit=2")
    url = urlsplit(url_of(told.headers["Link"]))
    query = dict(parse_qsl(url.query))
    assert f"{url.scheme}://{url.netloc}{url.path}" == PUBLIC + LIST
    assert query.pop("cursor") and query == {"date_from": "2026-01-01T00:00:00Z", "offset": "2", "limit": "2"}
    assert told.headers["X-Total-Count"] == "5"
    assert await edge.pages("limit=2") == [f"L{n}" for n in range(5)]


@pytest.mark.parametrize("query", ["limit=2", "limit=2&offset=0", "limit=1", "limit=3&date_to=2030-01-01T00:00:00Z"])
async def test_what_changes_between_two_pages_neither_leaves_out_nor_repeats_another(edge: Lists, query: str) -> None:
    there = [f"L{n}" for n in range(5)]
    await edge.put(*(state(id) for id in there))
    assert await edge.pages(query, meanwhile=state("A-NEW")) == there
    gone = ObjectState(state("A-NEW").key, Position(1, 9), "2.2.1", deleted=True)
    assert await edge.pages(query, meanwhile=gone) == ["A-NEW", *there]
    assert await edge.pages(query, meanwhile=state("L9")) == [*there, "L9"]


async def test_an_offset_that_a_client_chose_itself_is_counted_from_the_beginning(edge: Lists) -> None:
    await edge.put(*(state(f"L{n}") for n in range(3)), *(state(f"M{n}", OTHER) for n in range(2)))
    assert ids(await edge.get("offset=1")) == ["M1", "L0", "L1", "L2"]
    assert ids(await edge.get("offset=3&limit=1")) == ["L1"]
    told = await edge.get("offset=5")
    assert (ids(told), told.headers["X-Total-Count"], "Link" in told.headers) == ([], "5", False)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("date_from=2026-03-01T10:00:00Z", ["L2", "L3"]),
        ("date_from=2026-03-01T10:00:00.001Z", ["L3"]),
        ("date_to=2026-03-01T10:00:00Z", ["L1"]),
        ("date_from=2026-03-01T09:00:00&date_to=2026-03-01T10:00:00.001Z", ["L2"]),
        ("date_from=2030-01-01T00:00:00Z", []),
    ],
)
async def test_dates_are_compared_to_last_updated_as_its_owner_wrote_it(
    edge: Lists, query: str, found: list[str]
) -> None:
    moments = ("2026-03-01T08:59:59Z", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00.5")
    await edge.put(*(state(f"L{n + 1}", last_updated=moment) for n, moment in enumerate(moments)))
    told = await edge.get(query)
    assert ids(told) == found
    assert told.headers["X-Total-Count"] == str(len(found))


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"), ("date_from=yesterday", "date_from"),
        ("cursor=%20", "cursor"), ("cursor=QQ", "cursor"), ("cursor=%C3%A9", "cursor"),
    ],
)  # fmt: skip
async def test_a_query_that_cannot_be_read_is_2001_naming_the_parameter(edge: Lists, query: str, named: str) -> None:
    told = await edge.get(query)
    assert told.answer == (200, 2001)
    assert told.message.startswith(named)


async def test_a_cursor_leads_into_no_list_but_the_readers_own(edge: Lists) -> None:
    await edge.put(*(state(f"L{n}") for n in range(3)))
    cursor = dict(parse_qsl(urlsplit(url_of((await edge.get("limit=1")).headers["Link"])).query))["cursor"]
    told = await edge.call("cpo", "GET", f"{LIST}?limit=1&cursor={cursor}")
    assert ids(told) == []


async def test_owners_that_are_not_complete_are_named_and_nothing_is_listed(edge: Lists) -> None:
    await edge.put(state("L1"))
    await complete.undo(edge.store, OTHER, ["locations"])
    told = await edge.get()
    assert told.answer == (200, 4000)
    assert "does not have all locations of FR-CPO:" in told.message and "NL-TNM" not in told.message
    assert "data" not in told.envelope


async def test_a_hub_that_serves_what_is_there_says_so() -> None:
    edge = Lists(*_platforms(), serve_incomplete=True)
    await edge.put(state("L1"))
    await edge.say(CPO)
    told = await edge.get()
    assert ids(told) == ["L1"]
    assert "not complete" in told.message and "FR-CPO" in told.message


async def test_what_was_said_of_completeness_holds_within_a_moment(edge: Lists) -> None:
    await edge.put(state("L1"))
    assert ids(await edge.get()) == ["L1"]
    await complete.undo(edge.store, OTHER, ["locations"])
    edge.clock.passed += KNOWN_SECONDS
    assert (await edge.get()).answer == (200, 4000)


async def test_objects_of_which_only_parts_are_known_or_that_are_unconfirmed_make_a_list_incomplete(
    edge: Lists,
) -> None:
    part = ObjectState(
        state("L2").key, Position(1, 1), "2.2.1", parts=(Part((), whole=False, body=b'{"last_updated": "x"}'),)
    )
    await edge.put(state("L1"), part)
    told = await edge.get()
    assert told.answer == (200, 4000)
    assert "does not know for sure" in told.message and "NL-TNM" in told.message and "FR-CPO" not in told.message
    edge.clock.passed += KEPT_SECONDS
    await edge.put(state("L2", at=2))
    assert ids(await edge.get()) == ["L1", "L2"]
    edge.clock.passed += KEPT_SECONDS
    await edge.put(replace(state("L2", at=3), unconfirmed=True))
    assert (await edge.get()).answer == (200, 4000)


async def test_p9_who_is_denied_is_neither_in_the_list_nor_named(edge: Lists) -> None:
    await edge.put(state("L1"), state("L1", OTHER))
    await complete.undo(edge.store, OTHER, ["locations"])
    denied = Rules((Agreement.of(Effect.DENY, EMSP, OTHER),), Effect.ALLOW)
    edge.registry.directory = Directory(_platforms(), hub=HUB, agreements=denied)
    told = await edge.get()
    assert ids(told) == ["L1"] and told.envelope["data"][0]["party_id"] == "TNM"
    assert told.headers["X-Total-Count"] == "1"


async def test_p9_what_is_not_published_is_only_for_whom_an_agreement_names(edge: Lists) -> None:
    await edge.put(state("L1"), state("L2", publish=False), state("L3", OTHER, publish=False))
    told = await edge.get()
    assert (ids(told), told.headers["X-Total-Count"]) == (["L1"], "1")
    named = Rules((Agreement.of(Effect.ALLOW, EMSP, CPO),), Effect.ALLOW)
    edge.registry.directory = Directory(_platforms(), hub=HUB, agreements=named)
    told = await edge.get()
    assert (ids(told), told.headers["X-Total-Count"]) == (["L1", "L2"], "2")


@pytest.mark.parametrize("module", ["sessions", "cdrs"])
async def test_p9_sessions_and_cdrs_are_those_of_the_reader(edge: Lists, module: str) -> None:
    await edge.say(CPO, OTHER, module=module)
    await edge.put(
        state("S1", module=module, to=EMSP), state("S2", module=module, to=OTHER), state("S3", module=module)
    )
    told = await edge.get("date_from=2020-01-01T00:00:00Z", f"/ocpi/2.2.1/sender/{module}")
    assert ids(told) == ["S1"]


async def test_p9_an_owner_whose_sessions_were_read_for_others_is_not_complete_to_the_reader(edge: Lists) -> None:
    path, query = "/ocpi/2.2.1/sender/sessions", "date_from=2020-01-01T00:00:00Z"
    await edge.put(state("S1", module="sessions", to=EMSP))
    for owner in (CPO, OTHER):
        await complete.pulled(edge.store, owner, "sessions", 1, [PartyId("DE", "NOT")])
    told = await edge.get(query, path)
    assert told.answer == (200, 4000) and str(CPO) in told.envelope["status_message"]
    for owner in (CPO, OTHER):
        await complete.pulled(edge.store, owner, "sessions", 2, [PartyId("DE", "NOT"), EMSP])
    edge.clock.passed += KNOWN_SECONDS
    assert ids(await edge.get(query, path)) == ["S1"]


async def test_a_list_of_sessions_needs_date_from(edge: Lists) -> None:
    told = await edge.get(path="/ocpi/2.2.1/sender/sessions")
    assert told.answer == (200, 2001) and told.message.startswith("date_from")


async def test_tokens_are_listed_for_operators_and_not_for_other_providers(edge: Lists) -> None:
    await edge.say(EMSP, module="tokens")
    await edge.put(state("T1", EMSP, module="tokens"))
    path = "/ocpi/2.2.1/sender/tokens"
    assert ids(await edge.get(path=path, who="cpo")) == ["T1"]
    assert ids(await edge.get(path=path, who="emsp")) == []


async def test_a_store_that_is_away_is_503_and_never_a_short_list(edge: Lists) -> None:
    edge.store.away = "test"
    told = await edge.get()
    assert told.answer == (503, 4000)
    assert "Retry-After" in told.headers


async def test_without_to_a_list_is_refused_with_the_two_ways(edge: Lists) -> None:
    told = await edge.get(to=None)
    assert told.answer == (200, 2001)
    assert "the hub for everybody's" in told.message
