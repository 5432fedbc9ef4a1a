"""Registration with the hub as the sender of the handshake: `ocpi-hub party connect` (OCPI 2.2.1, 7.1.1)."""

from __future__ import annotations

import json

import orjson
import pytest

from connectors.sample import Canned, Fault, Rule, sample_cpo, sample_emsp
from tests.scenarios.parties import SENDER, Parties, check, new_party, party_of


async def test_the_hub_registers_with_a_platform_that_invited_it(parties: Parties) -> None:
    cpo = await parties.start(sample_cpo(new_party()))
    token = cpo.invite()
    code, out, err = await parties.hub.cli("party", "connect", cpo.versions_url, token, "--json")
    assert code == 0, err
    assert json.loads(out)["parties"][0]["party"] == str(party_of(cpo))
    # The sample called back with the credential that the hub sent, before it answered: it works already then.
    assert cpo.peer is not None and cpo.peer.hub is not None
    emsp = await parties.emsp()
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)
    check(await cpo.call("POST", "tokens", SENDER, "t", "authorize", to=party_of(emsp)), 404, 2004)
    code, out, _ = await parties.hub.cli("party", "show", *party_of(cpo), "--json")
    assert (code, json.loads(out)["status"]) == (0, "CONNECTED")


@pytest.mark.parametrize(
    ("module", "fault", "said"),
    [
        ("versions", Fault.HTML, "GET versions"),
        ("versions", Fault.HANG, "GET versions"),
        ("credentials", Fault.HTTP_500, "POST credentials"),
        ("credentials", Fault.EMPTY, "POST credentials"),
    ],
)
async def test_a_step_that_fails_is_told_with_its_url_and_leaves_nothing(
    hasty: Parties, module: str, fault: Fault, said: str
) -> None:
    emsp = await hasty.start(sample_emsp(new_party()))
    token = emsp.invite()
    emsp.faults.set(Rule(fault, module=module))
    status, told = await hasty.hub.operate(
        "POST", "/api/platforms/connect", {"versions_url": emsp.versions_url, "token": token}
    )
    assert status == 502
    assert said in told["error"] and emsp.origin in told["error"], told
    assert token not in told["error"]
    status, _ = await hasty.hub.operate("GET", f"/api/parties/{'/'.join(party_of(emsp))}")
    assert status == 404


async def test_the_cli_says_in_a_sentence_what_went_wrong(hasty: Parties) -> None:
    emsp = await hasty.start(sample_emsp(new_party()))
    answer = {"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z", "data": [{"version": "2.1.1", "url": "x"}]}
    emsp.faults.set(Rule(Fault.CANNED, module="versions", canned=Canned(orjson.dumps(answer))))
    code, out, err = await hasty.hub.cli("party", "connect", emsp.versions_url, emsp.invite())
    assert code == 1 and not out
    assert "no version in common" in err and "Traceback" not in err, err


async def test_a_party_that_another_platform_holds_is_refused_and_told_to_the_other_side(parties: Parties) -> None:
    holder = await parties.emsp()
    late = await parties.start(sample_emsp(party_of(holder)))
    status, told = await parties.hub.operate(
        "POST", "/api/platforms/connect", {"versions_url": late.versions_url, "token": late.invite()}
    )
    assert status == 409
    assert "registered through another platform" in told["error"]
    # It believed that the hub was registered until the hub took it back.
    assert [one.method for one in late.received if one.module == "credentials"] == ["POST", "DELETE"]
    assert late.peer is None


async def test_a_token_that_is_echoed_in_an_error_is_not_given_on(hasty: Parties) -> None:
    emsp = await hasty.start(sample_emsp(new_party()))
    token = emsp.invite()
    body = {"status_code": 2001, "status_message": f"your token {token} is odd", "timestamp": "2026-01-01T00:00:00Z"}
    emsp.faults.set(Rule(Fault.CANNED, module="versions", canned=Canned(orjson.dumps(body))))
    status, told = await hasty.hub.operate(
        "POST", "/api/platforms/connect", {"versions_url": emsp.versions_url, "token": token}
    )
    assert status == 502 and "is odd" in told["error"]
    assert token not in told["error"]


async def test_the_operator_cannot_connect_without_a_key(parties: Parties) -> None:
    for key in (None, "x" * 43, ""):
        for method, path in (("POST", "/api/platforms/connect"), ("GET", "/api/parties"), ("GET", "/nothing")):
            status, body = parties.hub.ask(method, path, {} if method == "POST" else None, key=key)
            assert (status, "key" in orjson.loads(body)["error"]) == (401, True)
