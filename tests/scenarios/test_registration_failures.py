"""What a party is told whose own API cannot be used while it registers: 3001, 3002, 3003 (OCPI 2.2.1, chapter 5)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.sample import Canned, Fault, RegistrationRefused, Rule, sample_emsp
from connectors.values import Role
from tests.scenarios.parties import Parties, check, new_party, party_of


def details(*endpoints: dict[str, str]) -> Canned:
    return _canned({"version": "2.2.1", "endpoints": list(endpoints)})


def _canned(data: Any) -> Canned:
    return Canned(orjson.dumps({"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z", "data": data}))


VERSIONS, DETAILS = "/ocpi/versions", "/ocpi/2.2.1"


@pytest.mark.parametrize(
    ("path", "rule", "code", "step"),
    [
        (VERSIONS, Rule(Fault.HTML), 3001, "GET versions"),
        (VERSIONS, Rule(Fault.HTTP_500), 3001, "GET versions"),
        (VERSIONS, Rule(Fault.HTTP_401), 3001, "GET versions"),
        (VERSIONS, Rule(Fault.HANG), 3001, "GET versions"),
        (VERSIONS, Rule(Fault.RESET), 3001, "GET versions"),
        (VERSIONS, Rule(Fault.EMPTY), 3001, "GET versions"),
        (VERSIONS, Rule(Fault.CANNED, canned=_canned({})), 3001, "GET versions"),
        (VERSIONS, Rule(Fault.CANNED, canned=_canned([])), 3002, "GET versions"),
        (VERSIONS, Rule(Fault.CANNED, canned=_canned([{"version": "2.1.1", "url": "x"}])), 3002, "GET versions"),
        (DETAILS, Rule(Fault.NOT_JSON), 3001, "GET version details"),
        (DETAILS, Rule(Fault.CANNED, canned=_canned([])), 3001, "GET version details"),
        (DETAILS, Rule(Fault.CANNED, canned=details()), 3003, "GET version details"),
        (
            DETAILS,
            Rule(Fault.CANNED, canned=details({"identifier": "locations", "role": "SENDER", "url": "ftp://x/y"})),
            3001,
            "GET version details",
        ),
    ],
)
async def test_what_is_wrong_with_the_partys_api_is_told_with_step_and_url(
    hasty: Parties, path: str, rule: Rule, code: int, step: str
) -> None:
    emsp = await hasty.start(sample_emsp(new_party()))
    invitation = await hasty.hub.invite((party_of(emsp), Role.EMSP))
    emsp.faults.set(Rule(rule.fault, canned=rule.canned, when=lambda one: one.path == path))
    with pytest.raises(RegistrationRefused) as caught:
        await emsp.register(invitation.versions_url, invitation.token)
    assert caught.value.answer is not None, caught.value
    check(caught.value.answer, 200, code, step, emsp.origin + path)


async def test_a_versions_url_where_nobody_listens_is_3001(hasty: Parties) -> None:
    emsp = await hasty.start(sample_emsp(new_party()))
    invitation = await hasty.hub.invite((party_of(emsp), Role.EMSP))
    roles = emsp.connection.document("x")["roles"]
    for url in ("http://127.0.0.1:9/ocpi/versions", "http://nowhere.invalid/ocpi/versions"):
        body = {"token": hasty.hub.vault.add("canary-nobody-listens"), "url": url, "roles": roles}
        credentials = f"{hasty.hub.public_url}/ocpi/2.2.1/credentials"
        answer = await emsp.call_url("POST", credentials, body=body, credential=invitation.token)
        check(answer, 200, 3001, "GET versions", url)
    assert (await hasty.hub.show(party_of(emsp)))["status"] == "PLANNED"
