"""Registration with the hub as the receiver of the handshake (OCPI 2.2.1, chapter 7; R 3)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from connectors.sample import RegistrationRefused, SampleParty, SamplePlatform, sample_emsp
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId, Role
from tests.scenarios.conftest import MakeHub
from tests.scenarios.parties import HUB, SENDER, Parties, check, eventually, new_party, party_of


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


async def versions(platform: SamplePlatform, url: str, authorization: str) -> SampleAnswer:
    return await platform.call_url("GET", url, headers={"Authorization": authorization})


async def credentials(
    platform: SamplePlatform, method: str, credential: str, body: Any = None, *, base: str
) -> SampleAnswer:
    """A call of the hub's credentials endpoint."""
    url = f"{base}/ocpi/2.2.1/credentials"
    return await platform.call_url(method, url, body=body, credential=credential)


async def refused(platform: SamplePlatform, versions_url: str, token: str) -> SampleAnswer:
    """The hub's answer to a POST that it must refuse."""
    with pytest.raises(RegistrationRefused) as caught:
        await platform.register(versions_url, token)
    assert caught.value.answer is not None, caught.value
    return caught.value.answer


@pytest.mark.parametrize("written", ["{raw}", "{base64}", "  {raw}  ", "{newline}", " {newline} "])
async def test_a_credential_is_taken_raw_and_as_base64_with_blanks_and_newline(parties: Parties, written: str) -> None:
    platform = await parties.start(sample_emsp(new_party()))
    token, url = await parties.hub.invite((party_of(platform), Role.EMSP))
    value = written.format(raw=token, base64=base64(token), newline=base64(token + "\n"))
    answer = await versions(platform, url, f"Token {value}")
    check(answer, 200, 1000)
    assert [one["version"] for one in answer.data] == ["2.2.1"]


@pytest.mark.parametrize("raw", [True, False])
async def test_the_hub_writes_the_credential_as_the_platform_does_until_the_operator_decides(
    parties: Parties, raw: bool
) -> None:
    emsp = await parties.emsp(raw=raw)
    cpo = await parties.cpo()

    async def written() -> bool:
        after = emsp.recorder.count
        await cpo.call("POST", "tokens", SENDER, "unknown", "authorize", to=party_of(emsp))
        header = (await emsp.wait_for(lambda one: one.module == "tokens", after=after)).headers["Authorization"]
        return header.removeprefix("Token ") in emsp.connection.issued

    assert await written() is raw
    await parties.hub.change(party_of(emsp), form="base64" if raw else "raw")
    assert await written() is not raw
    await parties.hub.change(party_of(emsp), form=None)
    assert await written() is raw


async def test_get_credentials_tells_the_hub_in_its_one_role(parties: Parties) -> None:
    emsp = await parties.emsp()
    assert emsp.peer is not None
    assert emsp.peer.parties == (("HUB", HUB),)
    answer = await credentials(emsp, "GET", emsp.peer.credential, base=parties.hub.public_url)
    check(answer, 200, 1000)
    assert answer.data["token"] == emsp.peer.credential
    assert answer.data["url"] == parties.hub.versions_url


async def test_put_renews_and_the_old_credential_lives_until_the_new_is_used(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    assert emsp.peer is not None
    old = emsp.peer.credential
    new = (await emsp.rotate()).credential
    assert new != old

    async def with_(credential: str) -> int:
        return (await credentials(emsp, "GET", credential, base=parties.hub.public_url)).http_status

    assert await with_(old) == 200
    answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo))
    check(answer, 200, 1000)
    assert await with_(old) == 401
    assert await with_(new) == 200


async def test_the_old_credential_ends_with_its_grace_although_the_new_is_never_used(make_hub: MakeHub) -> None:
    with make_hub(grace_seconds=0.5) as hub:
        async with Parties(hub) as parties:
            emsp = await parties.emsp()
            assert emsp.peer is not None
            old = emsp.peer.credential
            await emsp.rotate()

            async def over() -> bool:
                return (await credentials(emsp, "GET", old, base=hub.public_url)).http_status == 401

            assert not await over()
            await eventually(over)


async def test_delete_ends_both_credentials_and_nobody_reaches_the_party_any_more(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    assert emsp.peer is not None
    old, token = emsp.peer.credential, party_of(emsp)
    await emsp.unregister()
    check(await versions(emsp, parties.hub.versions_url, f"Token {base64(old)}"), 401, 2000)
    answer = await cpo.call("POST", "tokens", SENDER, "t", "authorize", to=token)
    check(answer, 200, 4001, str(token))


async def test_methods_that_do_not_belong_are_405_with_the_ones_that_do(parties: Parties) -> None:
    emsp = await parties.emsp()
    assert emsp.peer is not None
    base, own = parties.hub.public_url, emsp.peer.credential
    answer = await credentials(emsp, "POST", own, {}, base=base)
    check(answer, 405, 2000, "PUT")
    assert answer.headers["Allow"] == "GET, PUT, DELETE"
    token, _ = await parties.hub.invite((new_party(), Role.EMSP))
    for method in ("PUT", "DELETE"):
        answer = await credentials(emsp, method, token, {} if method == "PUT" else None, base=base)
        check(answer, 405, 2000, "POST")
    check(await credentials(emsp, "PATCH", own, {}, base=base), 405, 2000)


async def test_an_invitation_may_be_posted_again_until_what_it_gave_was_used(parties: Parties) -> None:
    emsp = await parties.start(sample_emsp(new_party()))
    token, url = await parties.hub.invite((party_of(emsp), Role.EMSP))
    first = await emsp.register(url, token)
    second = await emsp.register(url, token)
    assert first.credential != second.credential
    cpo = await parties.cpo()
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)
    for ended in (token, first.credential):
        check(await versions(emsp, url, f"Token {base64(ended)}"), 401, 2000, "credential")


async def test_an_invitation_is_good_for_the_parties_that_it_names_and_no_other(parties: Parties) -> None:
    invited, other = new_party(), new_party()
    emsp = await parties.start(sample_emsp(other))
    token, url = await parties.hub.invite((invited, Role.EMSP))
    check(await refused(emsp, url, token), 200, 2001, "$.roles[0]", str(other), str(invited))
    wrong_role = await parties.start(SamplePlatform([SampleParty(invited, Role.CPO)]))
    check(await refused(wrong_role, url, token), 200, 2001, f"CPO {invited}", f"EMSP {invited}")


async def test_a_party_that_another_platform_holds_is_refused_with_a_sentence(parties: Parties) -> None:
    shared = new_party()
    first = await parties.hub.invite((shared, Role.EMSP))
    # Two invitations for one party may be out while nobody holds it.
    second = await parties.hub.invite((shared, Role.EMSP), (new_party(), Role.CPO))
    holder = await parties.start(sample_emsp(shared))
    await holder.register(first.versions_url, first.token)
    late = await parties.start(sample_emsp(shared))
    answer = await refused(late, second.versions_url, second.token)
    check(answer, 200, 2001, str(shared), "registered through another platform")


async def test_token_a_is_401_on_a_functional_module(parties: Parties) -> None:
    cpo = await parties.cpo()
    emsp = await parties.start(sample_emsp(new_party()))
    token, _ = await parties.hub.invite((party_of(emsp), Role.EMSP))
    url = f"{parties.hub.public_url}/ocpi/2.2.1/sender/locations/LOC0001"
    answer = await emsp.call_url("GET", url, to=party_of(cpo), credential=token)
    check(answer, 401, 2000, "TOKEN_A", "POST credentials")


async def test_a_suspended_party_is_401_until_it_is_resumed(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    shown = await parties.hub.act(party_of(emsp), "suspend")
    assert shown["status"] == "OFFLINE"
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 401, 2000, "suspended")
    answer = await cpo.call("POST", "tokens", SENDER, "t", "authorize", to=party_of(emsp))
    check(answer, 200, 4003, "suspended")
    await parties.hub.act(party_of(emsp), "resume")
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)


async def test_a_credentials_object_is_judged_strictly_and_every_path_is_named(parties: Parties) -> None:
    emsp = await parties.start(sample_emsp(new_party()))
    token, _ = await parties.hub.invite((party_of(emsp), Role.EMSP))
    body = {"token": 5, "url": emsp.versions_url, "roles": [{"role": "EMSP", "country_code": "D"}]}
    answer = await credentials(emsp, "POST", token, body, base=parties.hub.public_url)
    check(answer, 200, 2001, "$.token", "$.roles[0].party_id", "$.roles[0].business_details")
    check(await credentials(emsp, "POST", token, b"{", base=parties.hub.public_url), 400, 2001)
    for roles in ([], [{"role": "HUB", "country_code": "NL", "party_id": "HUB", "business_details": {"name": "x"}}]):
        body = {"token": "x" * 20, "url": emsp.versions_url, "roles": roles}
        check(await credentials(emsp, "POST", token, body, base=parties.hub.public_url), 200, 2001)


async def test_after_registering_again_with_another_role_the_party_is_what_it_says_now(parties: Parties) -> None:
    ids: tuple[PartyId, PartyId] = (new_party(), new_party())
    roles = [SampleParty(ids[0], Role.EMSP), SampleParty(ids[1], Role.EMSP)]
    platform = await parties.join(SamplePlatform(roles))
    platform.parties = (roles[0],)
    await platform.rotate()
    assert (await parties.hub.show(ids[1]))["status"] == "SUSPENDED"
    cpo = await parties.cpo()
    check(await cpo.call("POST", "tokens", SENDER, "t", "authorize", to=ids[1]), 200, 4001, str(ids[1]))
    check(await cpo.call("POST", "tokens", SENDER, "t", "authorize", to=ids[0]), 404, 2004)
