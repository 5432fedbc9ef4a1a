"""Open routing on every leg (OCPI 2.2.1, 4.4.2.3): no TO comes in, both pairs go out, the answer tells who it is."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

import pytest

from connectors import headers as names
from connectors.sample import Received, SamplePlatform
from connectors.sample.client import SampleAnswer
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, party_of
from tests.scenarios.test_routing_headers import legs

Way = Callable[[SamplePlatform, SamplePlatform, dict[str, str]], Awaitable[SampleAnswer]]


async def authorize(cpo: SamplePlatform, emsp: SamplePlatform, given: dict[str, str]) -> SampleAnswer:
    """From the CPO to the eMSP, relayed."""
    return await cpo.call("POST", "tokens", SENDER, bodies.token(emsp)["uid"], "authorize", headers=given)


async def session(cpo: SamplePlatform, emsp: SamplePlatform, given: dict[str, str]) -> SampleAnswer:
    """From the CPO to the eMSP, by way of the log."""
    body = bodies.session(cpo, emsp)
    return await cpo.call("PUT", "sessions", RECEIVER, *party_of(cpo), body["id"], body=body, headers=given)


async def cdr(cpo: SamplePlatform, emsp: SamplePlatform, given: dict[str, str]) -> SampleAnswer:
    """From the CPO to the eMSP, by way of the log; nothing in the URL says anything."""
    return await cpo.call("POST", "cdrs", RECEIVER, body=bodies.cdr(cpo, emsp), headers=given)


@pytest.mark.parametrize("way", [authorize, session, cdr])
async def test_every_leg_of_a_call_without_to(parties: Parties, way: Way) -> None:
    cpo, emsp = await parties.pair()
    uid = bodies.new_id("UID")
    token = bodies.token(emsp)
    token["uid"] = uid
    emsp.objects.put("tokens", party_of(emsp), token)
    path = (*party_of(emsp), uid)
    check(await emsp.call("PUT", "tokens", RECEIVER, *path, to=HUB, body=token), 200, 1000)
    given = {names.REQUEST_ID: f"req-{uuid.uuid4()}", names.CORRELATION_ID: f"corr-{uuid.uuid4()}"}
    answers: list[SampleAnswer] = []

    async def is_found() -> bool:
        answers.append(await way(cpo, emsp, given))
        return answers[-1].status_code == 1000

    await eventually(is_found)
    answer, received = answers[-1], _last(emsp)
    assert legs(received.headers) == (party_of(emsp), party_of(cpo))
    assert legs(answer.headers) == (party_of(cpo), party_of(emsp))
    assert answer.headers[names.REQUEST_ID] == given[names.REQUEST_ID] != received.headers[names.REQUEST_ID]
    assert answer.headers[names.CORRELATION_ID] == received.headers[names.CORRELATION_ID] == given[names.CORRELATION_ID]


def _last(emsp: SamplePlatform) -> Received:
    return [one for one in emsp.received if one.module in ("tokens", "sessions", "cdrs")][-1]


async def test_where_only_a_contract_is_known_its_owner_is_found_by_the_whole_id_and_by_no_part_of_it(
    parties: Parties,
) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    contract = bodies.new_id("C")
    for owner, contract_id in ((emsp, contract), (other, contract + "-2")):
        token = bodies.token(owner) | {"uid": bodies.new_id("UID"), "contract_id": contract_id}
        path = (*party_of(owner), token["uid"])
        check(await owner.call("PUT", "tokens", RECEIVER, *path, to=HUB, body=token), 200, 1000)

    async def post(contract_id: str) -> SampleAnswer:
        whole = bodies.cdr(cpo, emsp)
        # As of a car that identifies itself: neither the card nor who issued it is known.
        whole["cdr_token"] = {"uid": "#NA", "type": "OTHER", "contract_id": contract_id}
        return await cpo.call("POST", "cdrs", RECEIVER, body=whole)

    async def is_found() -> bool:
        answer = await post(contract.lower())
        return answer.status_code == 1000 and legs(answer.headers) == (party_of(cpo), party_of(emsp))

    await eventually(is_found)
    check(await post(contract[:-1]), 200, 4001, "$.cdr_token.contract_id", "OCPI-to-party-id")
    assert len(got(emsp, "cdrs")) == 1 and not got(other, "cdrs")


async def test_who_could_not_be_found_is_told_by_the_hub_in_its_own_name(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    for answer in (
        await emsp.call("GET", "locations", SENDER, bodies.new_id("NONE")),
        await cpo.call("POST", "tokens", SENDER, bodies.new_id("NONE"), "authorize"),
    ):
        assert answer.status_code in (4001, 2004)
        assert legs(answer.headers)[1] == HUB
    assert not got(cpo, "locations") and not got(emsp, "tokens")
