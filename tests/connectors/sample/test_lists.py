"""Paged lists: a walk over the Links sees everything once, and the filters are OCPI's."""

from __future__ import annotations

import pytest

from connectors.errors import InvalidParameters
from connectors.sample.inbound import SENDER
from connectors.sample.lists import page
from connectors.values import PartyId
from tests.connectors.sample.conftest import Pair

ITEMS = [{"id": str(number), "last_updated": f"2026-01-0{number}T00:00:00Z"} for number in range(1, 6)]


@pytest.mark.parametrize(
    ("module", "limit", "total", "pages"),
    [
        ("locations", "20", 50, 3),
        ("tariffs", "", 4, 1),
        ("sessions", "2", 5, 3),
        ("cdrs", "1", 5, 5),
        ("tokens", "500", 500, 10),
    ],
)
async def test_a_walk_over_the_pages_sees_every_object_once(
    pair: Pair, module: str, limit: str, total: int, pages: int
) -> None:
    caller, to = (pair.cpo, PartyId("DE", "EMS")) if module == "tokens" else (pair.emsp, PartyId("NL", "TNM"))
    query = {"limit": limit} if limit else {}
    answer = await caller.call("GET", module, SENDER, to=to, query={"date_from": "2020-01-01T00:00:00Z", **query})
    seen, walked = list(answer.data), 1
    while answer.next_url:
        assert "date_from=2020" in answer.next_url
        answer = await caller.call_url("GET", answer.next_url, to=to)
        seen, walked = seen + answer.data, walked + 1
    ids = [item.get("uid") or item["id"] for item in seen]
    assert (len(ids), len(set(ids)), walked) == (total, total, pages)
    assert answer.headers["X-Total-Count"] == str(total)
    assert answer.headers["X-Limit"] == "50"


def test_date_from_is_inclusive_and_date_to_is_not() -> None:
    reply = page(ITEMS, {"date_from": "2026-01-02T00:00:00", "date_to": "2026-01-04T00:00:00Z"}, "http://x", 50)
    assert isinstance(reply.data, list)
    assert [item["id"] for item in reply.data] == ["2", "3"]
    assert reply.headers["X-Total-Count"] == "2"


@pytest.mark.parametrize("query", [{"limit": "-1"}, {"offset": "x"}, {"date_from": "yesterday"}])
def test_a_wrong_parameter_is_named(query: dict[str, str]) -> None:
    with pytest.raises(InvalidParameters, match=next(iter(query))):
        page(ITEMS, query, "http://x", 50)
