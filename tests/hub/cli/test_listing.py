"""The lists of the CLI: pages put together, what was left out said, platforms like the rest."""

from __future__ import annotations

from typing import Any

import pytest

from hub.cli.listing import listed
from tests.hub.cli.test_cli import operator, output, run
from tests.hub.operator.operating import Operating

__all__ = ["operator"]

LISTS = ("party", "platform", "agreement", "poison")


class Api:
    """A list of five rows, and the limits that were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def get(self, path: str, **query: Any) -> Any:
        assert (path, query["filter"]) == ("/rows", "x")
        self.asked.append((query["offset"], query["limit"]))
        rows = [{"n": n} for n in range(5)]
        return {"rows": rows[query["offset"] : query["offset"] + query["limit"]], "total": 5}


@pytest.mark.parametrize(
    ("offset", "limit", "found", "asked"),
    [
        (0, None, [0, 1, 2, 3, 4], [(0, 2), (2, 2), (4, 2)]),
        (1, 3, [1, 2, 3], [(1, 2), (3, 1)]),
        (4, 9, [4], [(4, 2)]),
        (5, None, [], [(5, 2)]),
    ],
)
def test_as_many_pages_are_asked_for_as_it_takes(
    offset: int, limit: int | None, found: list[int], asked: list[tuple[int, int]]
) -> None:
    api: Any = Api()
    told = listed(api, "/rows", "rows", wanted="x", offset=offset, limit=limit, page=2)
    assert ([row["n"] for row in told.rows], told.total, api.asked) == (found, 5, asked)


@pytest.mark.parametrize("word", LISTS)
async def test_every_list_filters_pages_and_prints_json(operator: Operating, word: str) -> None:
    told = await output(word, "list", "--filter", "nothing has this", "--offset", "1", "--limit", "2", "--json")
    assert told == ({"agreements": [], "default": "allow"} if word == "agreement" else [])


async def test_platforms_are_listed_and_shown_and_what_was_left_out_is_said(operator: Operating) -> None:
    for party in ("AAA", "BBB", "CCC"):
        await output("party", "invite", "NL", party, "CPO", "--json")
    rows = await output("platform", "list", "--filter", "planned", "--json")
    assert {*(row["parties"][0] for row in rows)} == {"NL-AAA", "NL-BBB", "NL-CCC"}
    people = await run("platform", "list", "--offset", "1", "--limit", "1")
    assert rows[1]["id"] in people.stdout and rows[0]["id"] not in people.stdout and "2 to 2 of 3" in people.stdout
    assert "2 to 2 of 3" in (await run("party", "list", "--offset", "1", "--limit", "1")).stdout
    assert (await output("platform", "show", rows[2]["id"], "--json"))["parties"] == rows[2]["parties"]
    assert "not registered" in (await run("platform", "show", rows[2]["id"])).stdout
    missing = await run("platform", "show", "none")
    assert (missing.exit_code, "no platform none" in missing.stderr) == (1, True)
