"""Each way of misbehaving is what its name says, strikes only what it is for, is counted, and ends when lifted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.sample import Canned, Fault, NoAnswer, PortTaken, Rule, SampleAnswer, sample_cpo
from connectors.sample.inbound import SENDER
from connectors.values import PartyId
from tests.connectors.sample.conftest import Pair

CPO = PartyId("NL", "TNM")


async def read(pair: Pair, module: str = "locations", timeout: float = 5.0) -> SampleAnswer:
    return await pair.emsp.call("GET", module, SENDER, to=CPO, timeout=timeout)


def struck(pair: Pair, fault: Fault, **details: Any) -> Rule:
    return pair.cpo.faults.set(Rule(fault, **details))


@pytest.mark.parametrize(
    ("fault", "http_status", "body"),
    [
        (Fault.HTML, 502, b"<!DOCTYPE html>"),
        (Fault.HTTP_500, 500, b'{"status_code":3000'),
        (Fault.HTTP_429, 429, b'{"status_code":2000'),
        (Fault.HTTP_401, 401, b'{"status_code":2000'),
        (Fault.HTTP_403, 403, b'{"status_code":2000'),
        (Fault.EMPTY, 200, b""),
        (Fault.HTTP_204, 204, b""),
        (Fault.NO_STATUS_CODE, 200, b'{"data":[]'),
        (Fault.NOT_JSON, 200, b"this is not JSON"),
        (Fault.REDIRECT_307, 307, b""),
        (Fault.REDIRECT_308, 308, b""),
        (Fault.REDIRECT_OTHER, 307, b""),
    ],
)
async def test_an_answer_is_what_the_fault_is_named_for(
    pair: Pair, fault: Fault, http_status: int, body: bytes
) -> None:
    rule = struck(pair, fault)
    answer = await read(pair)
    assert answer.http_status == http_status
    assert answer.body.startswith(body)
    assert rule.hits == 1
    assert pair.cpo.received[-1].http_status == http_status


async def test_429_says_when_to_come_again(pair: Pair) -> None:
    struck(pair, Fault.HTTP_429, retry_after=7)
    assert (await read(pair)).headers["Retry-After"] == "7"


@pytest.mark.parametrize("fault", [Fault.REDIRECT_307, Fault.REDIRECT_OTHER])
async def test_a_redirect_leads_to_a_place_where_the_call_is_served(pair: Pair, fault: Fault) -> None:
    struck(pair, fault)
    location = (await read(pair)).headers["Location"]
    assert location.startswith(pair.cpo.origin) is (fault is Fault.REDIRECT_307)
    served = await pair.emsp.call_url("GET", location.replace("localhost", "127.0.0.1"), to=CPO)
    assert served.status_code == 1000
    assert len(served.data) == 50


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATE])
async def test_a_cut_connection_is_no_answer_and_one_request(pair: Pair, fault: Fault) -> None:
    await read(pair)
    rule = struck(pair, fault)
    with pytest.raises(NoAnswer) as failure:
        await read(pair)
    assert not failure.value.refused
    assert rule.hits == 1
    assert pair.cpo.received[-1].http_status is None


async def test_hanging_lasts_until_it_is_lifted(pair: Pair) -> None:
    struck(pair, Fault.HANG)
    with pytest.raises(NoAnswer, match="within"):
        await read(pair, timeout=0.05)
    waiting = asyncio.create_task(read(pair))
    await pair.cpo.wait_for(lambda _: True, after=pair.cpo.received[-1].seq)
    pair.cpo.faults.clear()
    with pytest.raises(NoAnswer):
        await waiting
    assert (await read(pair)).status_code == 1000


async def test_a_caller_that_leaves_a_hanging_request_ends_it(pair: Pair) -> None:
    struck(pair, Fault.HANG)
    with pytest.raises(NoAnswer):
        await read(pair, timeout=0.05)
    received = pair.cpo.received[-1]
    while received.ended_at is None:
        await asyncio.sleep(0)
    assert received.http_status is None


async def test_slow_serves_after_its_delay_and_at_once_when_lifted(pair: Pair) -> None:
    struck(pair, Fault.SLOW, delay=0.05)
    assert (await read(pair)).ms >= 50
    pair.cpo.faults.clear()
    struck(pair, Fault.SLOW, delay=60)
    waiting = asyncio.create_task(read(pair))
    await pair.cpo.wait_for(lambda _: True, after=pair.cpo.received[-1].seq)
    pair.cpo.faults.clear()
    assert (await waiting).status_code == 1000


async def test_huge_streams_as_much_as_it_is_told(pair: Pair) -> None:
    struck(pair, Fault.HUGE, size=1 << 20)
    answer = await read(pair)
    assert len(answer.body) > 1 << 20
    assert answer.status_code == 1000


async def test_a_caller_may_leave_a_huge_answer(pair: Pair) -> None:
    struck(pair, Fault.HUGE)
    with pytest.raises(NoAnswer):
        await read(pair, timeout=0.05)
    pair.cpo.faults.clear()
    assert (await read(pair)).status_code == 1000


async def test_a_canned_answer_is_given_as_it_is(pair: Pair) -> None:
    struck(pair, Fault.CANNED, canned=Canned(b'{"status_code":1002}', 202, {"X-Extra": "yes"}))
    answer = await read(pair)
    assert (answer.http_status, answer.status_code, answer.headers["X-Extra"]) == (202, 1002, "yes")


async def test_a_rule_strikes_only_what_it_is_for_and_as_often_as_it_may(pair: Pair) -> None:
    rule = struck(pair, Fault.HTML, module="tariffs", method="GET", times=1)
    statuses = [(await read(pair, module)).http_status for module in ("locations", "tariffs", "tariffs")]
    assert statuses == [200, 502, 200]
    assert rule.hits == 1
    struck(pair, Fault.HTTP_500, when=lambda received: "limit" in received.query)
    assert (await read(pair)).http_status == 200
    limited = await pair.emsp.call("GET", "locations", SENDER, to=CPO, query={"limit": "1"})
    assert limited.http_status == 500


async def test_offline_refuses_connections_until_it_is_online_again(pair: Pair) -> None:
    await read(pair)
    port = pair.cpo.port
    await pair.cpo.switch("offline")
    with pytest.raises(NoAnswer) as failure:
        await read(pair)
    assert failure.value.refused
    await pair.cpo.switch(None)
    assert pair.cpo.port == port
    assert (await read(pair)).status_code == 1000


async def test_the_control_endpoint_switches_while_it_runs(pair: Pair) -> None:
    url = f"{pair.cpo.origin}/control/fault"
    assert (await pair.emsp.call_url("POST", url, body={"fault": "500", "module": "locations"})).http_status == 200
    assert (await read(pair)).http_status == 500
    assert (await read(pair, "tariffs")).http_status == 200
    await pair.emsp.call_url("POST", url, body={"fault": None})
    assert (await read(pair)).http_status == 200
    wrong = await pair.emsp.call_url("POST", url, body={"fault": "fire"})
    assert wrong.http_status == 400
    assert b"slow, hang" in wrong.body


async def test_offline_by_control_comes_back_by_itself(pair: Pair) -> None:
    url = f"{pair.cpo.origin}/control/fault"
    assert (await pair.emsp.call_url("POST", url, body={"fault": "offline", "seconds": 0.05})).http_status == 200
    answers: list[bool] = []
    while answers[-2:] != [False, True]:
        try:
            answers.append((await read(pair)).status_code == 1000)
        except NoAnswer:
            answers.append(False)


async def test_control_is_served_only_where_it_was_asked_for(pair: Pair) -> None:
    answer = await pair.cpo.call_url("POST", f"{pair.emsp.origin}/control/fault", body={"fault": "500"})
    assert answer.http_status == 404


async def test_a_taken_port_is_a_sentence(pair: Pair) -> None:
    with pytest.raises(PortTaken, match=f"port {pair.cpo.port} .*take another"):
        await sample_cpo(port=pair.cpo.port).start()
