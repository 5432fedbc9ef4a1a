"""P13: every exchange is found in seconds by what it was about, and shown whole, over the command line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import pytest

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, party_of

pytestmark = pytest.mark.timeout(240)

WITHIN: Final = 20.0
"""Generous: the machine may be busy. What is asked for is seconds."""

REFUSAL: Final = Canned(b'{"status_code":2001,"status_message":"not this one","timestamp":"2026-03-01T10:00:00Z"}')


async def find(hub: RunningHub, **asked: object) -> list[dict[str, Any]]:
    """What the operator API finds; `ago` is `since` so many minutes ago, `until_ago` the same."""
    for name, field in (("ago", "since"), ("until_ago", "until")):
        if name in asked:
            minutes: Any = asked.pop(name)
            asked[field] = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    status, told = await hub.operate("GET", f"/api/exchanges?{urlencode(asked)}")
    assert status == 200, told
    found: list[dict[str, Any]] = told["exchanges"]
    return found


async def found(hub: RunningHub, **asked: object) -> dict[str, Any]:
    """The one that is found by these, once it is and it is known how it ended."""
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        rows = await find(hub, **asked)
        if [row["settled"] for row in rows] == [True]:
            return rows[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"not one settled exchange by {asked} within {WITHIN:g} s: {rows}")


async def listed(hub: RunningHub, *words: str) -> list[dict[str, Any]]:
    """What `ocpi-hub exchanges find` says."""
    code, out, err = await hub.cli("exchanges", "find", *words, "--json")
    assert code == 0, err
    rows: list[dict[str, Any]] = orjson.loads(out)["exchanges"]
    return rows


async def show(hub: RunningHub, id: str) -> tuple[dict[str, Any], str]:
    """The JSON of `ocpi-hub exchanges show`, and what people read."""
    code, out, err = await hub.cli("exchanges", "show", id, "--json")
    assert code == 0, err
    code, text, err = await hub.cli("exchanges", "show", id)
    assert code == 0, err
    return orjson.loads(out), text


def ids(name: str) -> dict[str, str]:
    """Headers of a call that is to be found."""
    return {"X-Request-ID": bodies.new_id(f"r-{name}"), "X-Correlation-ID": bodies.new_id(f"c-{name}")}


async def by_every_way(hub: RunningHub, sent: Mapping[str, str], **others: Any) -> dict[str, Any]:
    """Found by its ids, and by each of the others beside its object and the time; the same one each time."""
    one = await found(hub, correlation_id=sent["X-Correlation-ID"])
    assert (one["request_id"], one["correlation_id"]) == (sent["X-Request-ID"], sent["X-Correlation-ID"])
    assert await found(hub, request_id=sent["X-Request-ID"], ago=10) == one
    about = {"module": one["module"], "object": one["object"].lower()}
    assert await found(hub, **about) == one
    for name, values in others.items():
        for value in values:
            assert await found(hub, **about, **{name: value}, ago=10) == one, (name, value)
            assert await find(hub, **about, **{name: value}, until_ago=60) == []
    assert await listed(hub, "--object", f"{one['module']}/{one['object']}", "--since", "10m") == [one]
    return one


def attempts(shown: dict[str, Any], platform: SamplePlatform) -> list[tuple[str, Any, int]]:
    """Of one recipient: how it ended, and HTTP status and OCPI code of each attempt."""
    (one,) = [one for one in shown["recipients"] if one["party"] == str(party_of(platform))]
    assert all(attempt["ms"] >= 0 for attempt in one["attempts"])
    return [(one["outcome"], attempt["http_status"], attempt["status_code"]) for attempt in one["attempts"]]


async def test_p13_relays_directed_pushes_and_broadcasts_are_found_and_shown_whole(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            others = [await parties.emsp() for _ in range(2)]
            await _relay(hub, cpo, emsp)
            await _not_relayed(hub, cpo, emsp)
            await _directed(hub, cpo, emsp)
            await _broadcast(hub, cpo, emsp, others)
            rows = await listed(hub, "--party", str(party_of(cpo)))
            assert {row["way"] for row in rows} == {"relay", "directed", "broadcast"}
            assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
            assert await listed(hub, "--party", str(party_of(cpo)), "--limit", "2") == rows[:2]
            code, out, err = await hub.cli("exchanges", "find", "--object", "no-module")
            assert (code, "MODULE/ID" in err) == (2, True), out
            code, _, err = await hub.cli("exchanges", "show", "no-such-exchange")
            assert (code, "exchanges find tells" in err) == (1, True)


async def _relay(hub: RunningHub, cpo: SamplePlatform, emsp: SamplePlatform) -> None:
    sent = ids("relay")
    answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo), headers=sent)
    check(answer, 200, 1000)
    one = await by_every_way(hub, sent, party=[party_of(cpo), party_of(emsp)], outcome=["answered"])
    assert (one["way"], one["from"], one["to"]) == ("relay", str(party_of(emsp)), str(party_of(cpo)))
    shown, text = await show(hub, one["id"])
    assert attempts(shown, cpo) == [("answered", 200, 1000)]
    assert shown["ms"] >= shown["hub_ms"] > 0
    forwarded = cpo.received[-1].headers["X-Request-ID"]
    assert shown["forwarded_id"] == forwarded
    assert (await found(hub, request_id=forwarded))["id"] == one["id"]
    assert "because the OCPI-to headers name it" in text
    assert f"{party_of(emsp)} sent GET locations LOC0001" in text


async def _not_relayed(hub: RunningHub, cpo: SamplePlatform, emsp: SamplePlatform) -> None:
    """Nobody listens there: two attempts, and 4003."""
    cpo.faults.set(Rule(Fault.RESET, module="locations"))
    sent = ids("reset")
    answer = await emsp.call("GET", "locations", SENDER, "LOC0002", to=party_of(cpo), headers=sent)
    cpo.faults.clear()
    check(answer, 200, 4002)
    one = await by_every_way(hub, sent, party=[party_of(cpo)], outcome=["unknown", 4002])
    shown, text = await show(hub, one["id"])
    assert attempts(shown, cpo) == [("unknown", 0, 4002)]
    assert "no answer, 4002" in text


async def _directed(hub: RunningHub, cpo: SamplePlatform, emsp: SamplePlatform) -> None:
    session, sent = bodies.session(cpo, emsp), ids("directed")
    path = (*party_of(cpo), session["id"])
    # without TO: for the eMSP of its cdr_token
    answer = await cpo.call("PUT", "sessions", RECEIVER, *path, body=session, to=None, headers=sent)
    check(answer, 201, 1000)
    one = await by_every_way(hub, sent, party=[party_of(cpo), party_of(emsp)], outcome=["answered"])
    assert (one["way"], one["to"], one["outcomes"]) == ("directed", str(party_of(emsp)), {"answered": 1})
    shown, text = await show(hub, one["id"])
    assert [status for _, _, status in attempts(shown, emsp)] == [1000]
    assert shown["position"]["topic"] == "ocpi.sessions"
    assert "because it is the party of what the call names" in text


async def _broadcast(hub: RunningHub, cpo: SamplePlatform, emsp: SamplePlatform, others: list[SamplePlatform]) -> None:
    """To three, of whom one refuses and one takes it at the second attempt."""
    emsp.faults.set(Rule(Fault.CANNED, module="locations", canned=REFUSAL))
    others[0].faults.set(Rule(Fault.HTTP_500, module="locations", times=1))
    location, sent = bodies.location(party_of(cpo)), ids("broadcast")
    path = (*party_of(cpo), location["id"])
    check(await cpo.call("PUT", "locations", RECEIVER, *path, body=location, to=HUB, headers=sent), 200, 1000)
    parties = [party_of(one) for one in (cpo, emsp, *others)]
    one = await by_every_way(hub, sent, party=parties, outcome=["refused", 2001, "delivered"])
    emsp.faults.clear()
    assert (one["way"], one["to"], one["outcomes"]) == ("broadcast", None, {"delivered": 2, "refused": 1})
    shown, text = await show(hub, one["id"])
    assert attempts(shown, emsp) == [("refused", 200, 2001)]
    failed, taken = attempts(shown, others[0])
    assert failed == ("delivered", 500, 3000), shown
    assert taken[1] in (200, 201), shown
    assert attempts(shown, others[1]) == [("delivered", None, 1000)]
    for platform in (emsp, *others):
        assert f"-> {party_of(platform)}: " in text
    assert "HTTP 200, OCPI 2001" in text


@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
async def test_bodies_are_kept_where_that_is_asked_for(make_hub: MakeHub) -> None:
    with make_hub(archive_bodies=True) as hub:
        async with Parties(hub) as parties:
            cpo = await parties.cpo()
            location, sent = bodies.location(party_of(cpo)), ids("body")
            path = (*party_of(cpo), location["id"])
            check(await cpo.call("PUT", "locations", RECEIVER, *path, body=location, to=HUB, headers=sent), 200, 1000)
            one = await found(hub, correlation_id=sent["X-Correlation-ID"])
            shown, text = await show(hub, one["id"])
            (body,) = shown["bodies"]
            assert orjson.loads(body["text"]) == location
            assert location["id"] in text
            assert "nobody to send it to" in text
            emsp, sent = await parties.emsp(), ids("relay")
            command = bodies.command(cpo, emsp, "UNLOCK_CONNECTOR")
            answer = await emsp.call(
                "POST", "commands", RECEIVER, "UNLOCK_CONNECTOR", to=party_of(cpo), body=command, headers=sent
            )
            check(answer, 200, 1000)
            one = await found(
                hub, correlation_id=sent["X-Correlation-ID"], object="UNLOCK_CONNECTOR", module="commands"
            )
            shown, _ = await show(hub, one["id"])
            kept = {body["name"]: orjson.loads(body["text"]) for body in shown["bodies"]}
            assert kept["sent"] == command
            assert kept["answer"]["status_code"] == 1000
