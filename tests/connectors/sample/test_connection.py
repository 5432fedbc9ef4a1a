"""The credentials handshake between two sample platforms, from both ends."""

from __future__ import annotations

import pytest

from connectors.fault import Fault
from connectors.sample import RegistrationRefused, SampleParty, SamplePlatform
from connectors.sample.faults import Rule
from connectors.sample.inbound import RECEIVER, SENDER
from connectors.values import PartyId, Role
from tests.connectors.sample.conftest import Pair

CPO = PartyId("NL", "TNM")
EMSP = PartyId("DE", "EMS")


async def _both_ways(pair: Pair) -> None:
    assert (await pair.emsp.call("GET", "locations", SENDER, to=CPO)).status_code == 1000
    assert (await pair.cpo.call("GET", "tokens", SENDER, to=EMSP)).status_code == 1000


async def test_registration_gives_each_side_the_endpoints_and_roles_of_the_other(strangers: Pair) -> None:
    peer = await strangers.emsp.register(strangers.cpo.versions_url, strangers.cpo.invite())
    back = strangers.cpo.peer
    assert peer.parties == (("CPO", CPO),)
    assert peer.hub is None
    assert ("commands", "RECEIVER") in peer.endpoints
    assert back is not None
    assert back.parties == (("EMSP", EMSP),)
    assert ("tokens", "SENDER") in back.endpoints
    await _both_ways(strangers)


async def test_raw_credentials_are_taken_too(strangers: Pair) -> None:
    strangers.emsp.raw = strangers.cpo.raw = True
    await strangers.emsp.register(strangers.cpo.versions_url, strangers.cpo.invite())
    await _both_ways(strangers)


async def test_an_invitation_opens_configuration_only_and_ends_with_the_first_use_of_what_it_gave(
    strangers: Pair,
) -> None:
    cpo, emsp = strangers.cpo, strangers.emsp
    invitation = cpo.invite()
    url = cpo.endpoint_url("locations", SENDER)
    assert (await emsp.call_url("GET", cpo.versions_url, credential=invitation)).status_code == 1000
    assert (await emsp.call_url("GET", url, credential=invitation)).http_status == 401
    await emsp.register(cpo.versions_url, invitation)
    await emsp.register(cpo.versions_url, invitation)  # the first answer may have been lost
    await _both_ways(strangers)
    assert (await emsp.call_url("GET", cpo.versions_url, credential=invitation)).http_status == 401


async def test_rotation_replaces_the_credentials_of_both_sides(pair: Pair) -> None:
    before, there = pair.emsp.peer, pair.cpo.peer
    after = await pair.emsp.rotate()
    assert before is not None
    assert there is not None
    assert after.credential != before.credential
    assert pair.cpo.peer is not None
    assert pair.cpo.peer.credential != there.credential
    await _both_ways(pair)
    assert (await pair.emsp.call_url("GET", pair.cpo.versions_url, credential=before.credential)).http_status == 401


async def test_after_unregistering_neither_side_is_let_in(pair: Pair) -> None:
    credential = pair.emsp.peer.credential if pair.emsp.peer else ""
    await pair.emsp.unregister()
    assert pair.cpo.peer is None
    assert pair.emsp.peer is None
    assert (await pair.emsp.call_url("GET", pair.cpo.versions_url, credential=credential)).http_status == 401
    with pytest.raises(RegistrationRefused, match="not registered"):
        await pair.emsp.unregister()


async def test_get_credentials_gives_the_callers_own(pair: Pair) -> None:
    peer = pair.emsp.peer
    assert peer is not None
    answer = await pair.emsp.call_url("GET", peer.endpoints["credentials", "SENDER"])
    assert answer.data["token"] == peer.credential
    assert answer.data["url"] == pair.cpo.versions_url


@pytest.mark.parametrize(("method", "invited"), [("POST", False), ("PUT", True), ("DELETE", True)])
async def test_a_method_that_does_not_fit_the_state_is_405(pair: Pair, method: str, invited: bool) -> None:
    peer = pair.emsp.peer
    assert peer is not None
    credential = pair.cpo.invite() if invited else peer.credential
    answer = await pair.emsp.call_url(method, peer.endpoints["credentials", "SENDER"], credential=credential, body={})
    assert answer.http_status == 405
    assert "Allow" in answer.headers


async def test_a_wrong_credential_is_refused_with_the_step_and_the_url(strangers: Pair) -> None:
    with pytest.raises(RegistrationRefused, match=r"GET versions at http://127.*HTTP 401") as refused:
        await strangers.emsp.register(strangers.cpo.versions_url, "nobody")
    assert refused.value.answer is not None
    assert strangers.emsp.connection.issued == []


async def test_who_cannot_be_called_back_is_told_3001(strangers: Pair) -> None:
    strangers.emsp.faults.set(Rule(Fault.HTML))
    with pytest.raises(RegistrationRefused, match="OCPI 3001: GET versions at") as refused:
        await strangers.emsp.register(strangers.cpo.versions_url, strangers.cpo.invite())
    assert refused.value.answer is not None
    assert refused.value.answer.status_code == 3001


async def test_who_is_not_there_is_named(strangers: Pair) -> None:
    await strangers.cpo.offline()
    with pytest.raises(RegistrationRefused, match="no connection"):
        await strangers.emsp.register(strangers.cpo.versions_url, "any")


async def test_one_platform_can_host_a_cpo_and_an_emsp() -> None:
    both = SamplePlatform([SampleParty(CPO, Role.CPO), SampleParty(EMSP, Role.EMSP)])
    other = SamplePlatform([SampleParty(PartyId("FR", "ONE"), Role.CPO)])
    async with both, other:
        await other.register(both.versions_url, both.invite())
        assert other.peer is not None
        assert len(other.peer.endpoints) == 15
        put = {"country_code": "FR", "party_id": "ONE", "id": "T"}
        answer = await other.call("PUT", "tariffs", RECEIVER, "FR", "ONE", "T", to=EMSP, body=put)
        assert (answer.http_status, answer.status_code) == (201, 1000)
        assert answer.headers["OCPI-from-party-id"] == "EMS"


async def test_a_peer_with_the_role_hub_is_whom_broadcasts_go_to(strangers: Pair) -> None:
    hub = PartyId("NL", "HUB")
    async with SamplePlatform([SampleParty(hub, Role.HUB)]) as platform:
        assert (await strangers.cpo.register(platform.versions_url, platform.invite())).hub == hub
