"""/metrics, /healthz, /readyz and the operator API, as those see them who watch a hub."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from connectors.sample import Fault, Rule
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, party_of
from tests.scenarios.raw import exchange, request

PARTY = {"country_code": "NL", "party_id": "X", "role": "CPO"}


def calls(found: dict[str, float], module: str, method: str, route: str, http: int, ocpi: int) -> float:
    name = f"ocpi_hub_calls_total{{http={http},method={method},module={module},ocpi={ocpi},route={route}}}"
    return found.get(name, 0)


async def test_calls_are_counted_by_what_they_are_and_how_they_ended(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    before = parties.hub.metrics()
    for _ in range(3):
        check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)
    await emsp.call("GET", "locations", SENDER, "nowhere", to=party_of(cpo))
    body = bodies.location(party_of(cpo))
    check(await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body), 200, 1000)
    delivered = "ocpi_hub_deliveries_total{module=locations,outcome=delivered}"
    await eventually(lambda: parties.hub.metrics().get(delivered, 0) > before.get(delivered, 0))
    after = parties.hub.metrics()
    for counted, row in (
        (3, ("locations", "GET", "LOC-S2", 200, 1000)),
        (1, ("locations", "GET", "LOC-S2", 404, 2003)),
        (1, ("locations", "PUT", "LOC-R4", 200, 1000)),
    ):
        assert calls(after, *row) - calls(before, *row) == counted, row
    for name in ("ocpi_hub_call_seconds", "ocpi_hub_own_seconds"):
        labels = "{module=locations,route=LOC-S2}"
        assert after[f"{name}_count{labels}"] - before.get(f"{name}_count{labels}", 0) == 4
    assert after["ocpi_hub_platforms{status=CONNECTED}"] >= 2
    for name in ("ocpi_hub_lane_depth", "ocpi_hub_event_loop_lag_seconds", "ocpi_hub_exchanges_dropped_total"):
        assert any(sample.startswith(name) for sample in after), name


async def test_label_sets_stay_bounded_whatever_callers_send(parties: Parties) -> None:
    cpo, emsp = await parties.pair()

    async def flood(first: int) -> int:
        for number in range(first, first + 40):
            for target, method in (
                (f"/ocpi/2.2.1/sender/locations/made-up-{number}", "GET"),
                (f"/ocpi/2.2.1/sender/module{number}/x", "GET"),
                (f"/made/up/{number}", f"METHOD{number}"),
                (f"/ocpi/{number}", "GET"),
                ("/ocpi/versions", f"BREW{number}"),
            ):
                await exchange(parties.hub, request(parties.hub, target, method=method))
                await emsp.call_url(method, parties.hub.public_url + target, to=party_of(cpo))
            answer = {"status_code": 1000 + number, "timestamp": bodies.WHEN}  # of one class each time
            rule = cpo.faults.set(Rule(Fault.CANNED))
            rule.canned = type(rule.canned)(orjson.dumps(answer), 200 + number % 90)
            await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo))
            cpo.faults.clear()
        return len(parties.hub.metrics())

    once = await flood(10)
    assert await flood(50) == once
    page = parties.hub.ask("GET", "/metrics")[1].decode()
    for word in ("made", "METHOD", "BREW", "module3", str(party_of(cpo))):
        assert word not in page, word


async def test_health_readiness_and_metrics_need_no_key_and_everything_else_does(hub: RunningHub) -> None:
    assert hub.ask("GET", "/healthz") == (200, b'{"status":"alive"}')
    assert hub.ask("GET", "/readyz") == (200, b'{"ready":true,"reasons":[]}')
    assert hub.ask("GET", "/metrics")[0] == 200
    for key in (None, "", "wrong", hub.operator_key + "x", hub.operator_key[:-1], hub.operator_key.upper()):
        for method, path in (("GET", "/api/parties"), ("POST", "/api/parties/invite"), ("GET", "/anything")):
            status, body = hub.ask(method, path, key=key)
            assert status == 401, (key, path)
            assert "key" in orjson.loads(body)["error"]
    status, found = await hub.operate("GET", "/api/parties?limit=1")
    assert status == 200 and len(found["parties"]) <= 1


async def test_ready_says_why_not_while_the_hub_ends(make_hub: MakeHub) -> None:
    with make_hub(drain_seconds=2) as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            rule = cpo.faults.set(Rule(Fault.HANG, module="locations"))
            call = asyncio.create_task(emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)))
            await cpo.wait_for(lambda one: one.module == "locations")
            ending = asyncio.create_task(asyncio.to_thread(hub.terminate))
            found: list[str] = []

            def draining() -> bool:
                try:
                    status, body = hub.ask("GET", "/readyz")
                except OSError:
                    return False
                found.extend(orjson.loads(body)["reasons"])
                return status == 503

            await eventually(draining)
            assert "drain" in found[0], found
            cpo.faults.clear(rule)
            assert await ending == 0
            check(await call, 200, 4002)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/api/parties/invite", {}, 400, "$.parties"),
        ("POST", "/api/parties/invite", {"parties": [PARTY | {"role": "X"}]}, 400, "role"),
        ("POST", "/api/parties/invite", {"parties": [PARTY | {"party_id": "HUB"}]}, 409, "hub"),
        ("GET", "/api/parties/ZZ/ZZZ", None, 404, "ZZ-ZZZ"),
        ("GET", "/api/parties/Z/ZZZZZ", None, 400, "country_code"),
        ("POST", "/api/parties/ZZ/ZZZ/suspend", None, 404, "ZZ-ZZZ"),
        ("DELETE", "/api/parties", None, 405, "GET"),
        ("GET", "/api/nothing", None, 404, "/api/nothing"),
        ("PATCH", "/api/platforms/nothing/settings", {"validate": "report"}, 404, "platform"),
        ("PATCH", "/api/platforms/nothing/settings", {"validate": "maybe"}, 400, "$.validate"),
    ],
)  # fmt: skip
async def test_the_operator_is_told_what_to_mend(
    hub: RunningHub, method: str, path: str, body: object, status: int, said: str
) -> None:
    told, content = await hub.operate(method, path, body)
    assert (told, said in content["error"]) == (status, True), content
