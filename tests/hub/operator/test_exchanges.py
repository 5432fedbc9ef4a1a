"""The search in the archive over the operator API: what may be asked for, pages, one exchange whole."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from routing import exchanges
from routing.archive.filing import Keeping, file
from routing.log.port import Record
from routing.store.archive import Body
from tests.hub.operator.operating import Operating, operating
from tests.routing.archive.relays import NOW, relay
from tests.routing.events import at

LONG = Keeping(1000 * 86_400_000)


@pytest.fixture
async def operator() -> AsyncIterator[Operating]:
    async with operating() as made:
        batch = [
            relay(at=NOW + n, forwarded_id=f"f-{n}", correlation_id=f"c-{n % 2}", path=(f"L{n}",)) for n in range(5)
        ]
        headers, value = exchanges.encode(batch)
        filing = file(Record("ocpi.exchanges", 0, at(1), NOW, b"edge", headers, value), LONG)
        await made.hub.store.archive.file(filing.parts)
        yield made


async def find(operator: Operating, **query: str) -> Any:
    status, told = await operator.call("GET", "/api/exchanges", **query)
    assert status == 200, told
    return told


async def test_the_newest_come_first_and_pages_follow_one_another(operator: Operating) -> None:
    whole = await find(operator)
    assert [one["id"] for one in whole["exchanges"]] == [f"relay-f-{n}" for n in (4, 3, 2, 1, 0)]
    assert whole["next"] is None
    seen: list[str] = []
    page: str | None = ""
    while page is not None:
        told = await find(operator, limit="2", **({"page": page} if page else {}))
        seen += [one["id"] for one in told["exchanges"]]
        page = told["next"]
    assert seen == [one["id"] for one in whole["exchanges"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"correlation_id": "c-1"}, [3, 1]),
        ({"request_id": "f-2"}, [2]),
        ({"module": "locations", "object": "l3"}, [3]),
        ({"party": "nl-tnm", "correlation_id": "c-0", "outcome": "Answered"}, [4, 2, 0]),
        ({"since": "2026-09-21T14:13:20.003Z"}, [4, 3]),
        ({"until": "2026-09-21T16:13:20.002+02:00", "outcome": "answered"}, [1, 0]),
        ({"party": "FR-ABC"}, []),
    ],
)
async def test_what_is_asked_for_is_found(operator: Operating, query: dict[str, str], found: list[int]) -> None:
    assert [one["id"] for one in (await find(operator, **query))["exchanges"]] == [f"relay-f-{n}" for n in found]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"object": "L1"}, "say its module too"),
        ({"party": "nobody"}, "party of the query"),
        ({"since": "yesterday"}, "since of the query is no moment"),
        ({"until": "1"}, "until of the query is no moment"),
        ({"page": "x"}, "page of the query"),
        ({"limit": "0"}, "limit of the query"),
        ({"colour": "red"}, "colour of the query"),
    ],
)
async def test_what_cannot_be_asked_for_is_said(operator: Operating, query: dict[str, str], said: str) -> None:
    status, told = await operator.call("GET", "/api/exchanges", **query)
    assert (status, said in told["error"]) == (400, True), told


async def test_one_is_shown_whole_with_the_bodies_that_are_kept(operator: Operating) -> None:
    bodies = [
        Body("relay-f-1", "sent", NOW * 2, zlib.compress(b'{"a":"\xc3\xbc"}')),
        Body("relay-f-1", "raw", NOW * 2, zlib.compress(b"\xff")),
    ]
    await operator.hub.store.archive.file_bodies(bodies)
    status, told = await operator.call("GET", "/api/exchanges/relay-f-1")
    assert status == 200
    assert told["bodies"] == [{"name": "raw", "base64": "/w=="}, {"name": "sent", "text": '{"a":"ü"}'}]
    assert told["decided"] == ["relayed to NL-TNM at once, because the OCPI-to headers name it"]
    assert told["recipients"][0]["attempts"] == [
        {"at": None, "http_status": 200, "status_code": 1000, "reason": "", "ms": 11}
    ]
    status, told = await operator.call("GET", "/api/exchanges/relay-none")
    assert (status, "exchanges find tells" in told["error"]) == (404, True)


async def test_while_the_store_is_away_that_is_said(operator: Operating) -> None:
    operator.hub.store.away = "away in this test"
    assert (await operator.call("GET", "/api/exchanges"))[0] == 503
