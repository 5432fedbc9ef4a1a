"""The hub as the receiver of the handshake, over real HTTP (OCPI 2.2.1, 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.authorization import Form, digest
from connectors.values import Role
from tests.hub.onboarding.fake import Fake, call, running
from tests.hub.onboarding.hubside import EMS, HUB, TNM, HubSide, hub_side


@pytest.fixture
async def hub() -> AsyncIterator[HubSide]:
    async with hub_side() as side:
        yield side


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with running(Fake()) as platform:
        yield platform


async def post(hub: HubSide, credential: str, document: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    return await call("POST", credentials_url(hub), credential, document, **more)


def credentials_url(hub: HubSide) -> str:
    return hub.versions_url.replace("/versions", "/2.2.1/credentials")


async def register(hub: HubSide, fake: Fake) -> tuple[str, str]:
    """The invitation, and the access credential that it gave."""
    invitation = await hub.invite()
    http_status, envelope = await post(hub, invitation, fake.document((TNM, Role.CPO)))
    assert (http_status, envelope["status_code"]) == (200, 1000), envelope
    return invitation, envelope["data"]["token"]


async def works(hub: HubSide, credential: str) -> bool:
    http_status, _ = await call("GET", hub.versions_url, credential)
    return http_status == 200


async def test_post_registers_and_answers_with_the_role_hub_only(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    http_status, envelope = await post(hub, invitation, fake.document((TNM, Role.CPO)))
    assert http_status == 200
    data = envelope["data"]
    assert data["url"] == hub.versions_url
    assert data["roles"] == [
        {
            "role": "HUB",
            "country_code": "NL",
            "party_id": "HUB",
            "business_details": {"name": "Test hub"},
        }
    ]
    (hosted,) = hub.registry.directory.hosted(TNM)
    assert hosted.platform.version == "2.2.1"
    assert [endpoint.identifier for endpoint in hosted.platform.endpoints] == [
        "credentials",
        "locations",
        "nltnm-extra",
    ]
    assert hosted.platform.origins == (fake.base,)
    assert hub.registry.authorization_for(hosted.platform) == "Token QkJCQkJCQkJCQkJCQkJCQkJCQkI="


async def test_the_credential_of_the_answer_works_at_once(hub: HubSide, fake: Fake) -> None:
    _, access = await register(hub, fake)
    assert await works(hub, access)


async def test_call_backs_carry_the_credential_of_the_body_as_the_caller_writes_its_own(
    hub: HubSide, fake: Fake
) -> None:
    invitation = await hub.invite()
    await post(hub, invitation, fake.document((TNM, Role.CPO)), form=Form.RAW)
    assert {header for _, _, header in fake.seen} == {f"Token {fake.credential}"}
    (hosted,) = hub.registry.directory.hosted(TNM)
    assert hosted.platform.form is Form.RAW


async def test_a_platform_that_refuses_one_form_is_asked_in_the_other(hub: HubSide) -> None:
    async with running(Fake(only=Form.RAW)) as fake:
        await register(hub, fake)
    (hosted,) = hub.registry.directory.hosted(TNM)
    assert hosted.platform.form is Form.RAW


async def test_the_invitation_may_be_posted_again_until_what_it_gave_is_used(hub: HubSide, fake: Fake) -> None:
    invitation, first = await register(hub, fake)
    http_status, envelope = await post(hub, invitation, fake.document((TNM, Role.CPO)))
    second = envelope["data"]["token"]
    assert http_status == 200 and second != first
    assert await works(hub, second)
    # Dead at once, though the store is told of it off the request's way.
    assert (await post(hub, invitation, fake.document((TNM, Role.CPO))))[0] == 401
    assert not await works(hub, first)
    assert await works(hub, second)


async def test_the_first_use_is_stored_once_and_outlives_the_process(hub: HubSide, fake: Fake) -> None:
    invitation, access = await register(hub, fake)
    revision = hub.registry.directory.revision
    await asyncio.gather(*(works(hub, access) for _ in range(20)))
    await asyncio.gather(*hub.onboarding._marking.values())
    assert hub.registry.directory.revision == revision + 1
    (hosted,) = hub.registry.directory.hosted(TNM)
    assert [(issued.digest, issued.used) for issued in hosted.platform.issued] == [(digest(access), True)]
    assert await hub.registry.lookup(digest(invitation)) is None


async def test_an_invitation_expires(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    hub.clock.ms += 31 * 86_400_000
    assert (await post(hub, invitation, fake.document((TNM, Role.CPO))))[0] == 401


async def test_parties_that_were_not_invited_are_refused_by_name(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    for role in ((EMS, Role.CPO), (TNM, Role.EMSP), (HUB, Role.CPO)):
        _, envelope = await post(hub, invitation, fake.document((TNM, Role.CPO), role))
        assert envelope["status_code"] == 2001
        assert f"$.roles[1]: {role[1]} {role[0]}" in envelope["status_message"]
    assert fake.seen == []


async def test_a_party_that_another_platform_holds_is_refused(hub: HubSide, fake: Fake) -> None:
    one, other = await hub.invite(), await hub.invite(TNM, Role.CPO)
    assert (await post(hub, one, fake.document((TNM, Role.CPO))))[0] == 401  # invited again, the former ended
    await post(hub, other, fake.document((TNM, Role.CPO)))
    with pytest.raises(Exception, match="CPO NL-TNM is registered through another platform"):
        await hub.invite()


async def test_the_credentials_object_is_judged_strictly_with_every_path(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    document = fake.document((TNM, Role.CPO))
    del document["url"]
    document["roles"][0]["party_id"] = 7
    document["token"] = "with blank" * 10
    _, envelope = await post(hub, invitation, document)
    assert envelope["status_code"] == 2001
    for path in ("$.url:", "$.roles[0].party_id:", "$.token:"):
        assert path in envelope["status_message"]
    assert "with blank" not in envelope["status_message"]
    http_status, envelope = await post(hub, invitation, b"{")
    assert (http_status, envelope["status_code"]) == (400, 2001)


@pytest.mark.parametrize(
    ("path", "status", "body", "code", "said"),
    [
        ("/versions", 500, "<html>", 3001, "GET versions at {base}/versions: HTTP 500"),
        ("/versions", 200, "<html>", 3001, "no OCPI envelope"),
        ("/versions", 401, {"status_code": 2001, "status_message": "BBBBBBBBBBBBBBBBBBBB?"}, 3001, "HTTP 401"),
        ("/versions", 200, {"status_code": 3000, "status_message": "sorry"}, 3001, "status_code 3000 (sorry)"),
        ("/versions", 200, {"status_code": 1000, "data": {}}, 3001, "$.data is not a list"),
        ("/versions", 200, {"status_code": 1000, "data": [{"version": "2.1.1", "url": "x"}]}, 3002, "version 2.2.1"),
        ("/2.2.1", 404, {"status_code": 2000}, 3001, "GET version details at {base}/2.2.1: HTTP 404"),
        ("/2.2.1", 200, {"status_code": 1000, "data": {}}, 3001, "$.data.endpoints is not a list"),
        ("/2.2.1", 200, {"status_code": 1000, "data": {"endpoints": []}}, 3003, "no credentials endpoint"),
    ],
)
async def test_what_fails_is_named_with_its_step_and_url(
    hub: HubSide, fake: Fake, path: str, status: int, body: Any, code: int, said: str
) -> None:
    invitation = await hub.invite()
    fake.answers[path] = (status, body)
    http_status, envelope = await post(hub, invitation, fake.document((TNM, Role.CPO)))
    assert (http_status, envelope["status_code"]) == (200, code)
    assert said.format(base=fake.base) in envelope["status_message"]
    assert fake.credential not in envelope["status_message"]
    assert hub.registry.directory.hosted(TNM) == ()
    # Nothing is used up by a failure.
    del fake.answers[path]
    assert (await post(hub, invitation, fake.document((TNM, Role.CPO))))[1]["status_code"] == 1000


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"url": "https://10.0.0.1/x"}, "https://10.0.0.1/x cannot be used"),
        ({"url": "ftp://a/x"}, "endpoint"),
        ({"role": "BOTH"}, "SENDER or RECEIVER"),
    ],
)
async def test_an_endpoint_that_can_never_be_called_is_3001(
    hub: HubSide, fake: Fake, over: dict[str, str], said: str
) -> None:
    invitation = await hub.invite()
    endpoints = [fake.endpoint("credentials"), fake.endpoint("tokens", **over)]
    fake.answers["/2.2.1"] = (200, {"status_code": 1000, "data": {"version": "2.2.1", "endpoints": endpoints}})
    _, envelope = await post(hub, invitation, fake.document((TNM, Role.CPO)))
    assert envelope["status_code"] == 3001
    assert said in envelope["status_message"]


async def test_a_versions_url_inside_is_refused_by_the_guard(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    for url in ("http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/", "http://0.0.0.0/", "https://10.1.2.3/v"):
        document = fake.document((TNM, Role.CPO)) | {"url": url}
        _, envelope = await post(hub, invitation, document)
        assert envelope["status_code"] == 3001
        assert url in envelope["status_message"]


async def test_an_endpoint_of_another_origin_is_known_from_then_on(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    endpoints = [fake.endpoint("credentials"), fake.endpoint("tokens", url="https://other.example/tokens/")]
    fake.answers["/2.2.1"] = (200, {"status_code": 1000, "data": {"version": "2.2.1", "endpoints": endpoints}})
    await post(hub, invitation, fake.document((TNM, Role.CPO)))
    (hosted,) = hub.registry.directory.hosted(TNM)
    assert hosted.platform.origins == (fake.base, "https://other.example:443")
    assert hosted.platform.endpoints[1].url == "https://other.example/tokens/"


async def test_get_gives_back_the_credential_of_the_caller(hub: HubSide, fake: Fake) -> None:
    _, access = await register(hub, fake)
    _, envelope = await call("GET", credentials_url(hub), access)
    assert envelope["data"]["token"] == access


async def test_put_gives_a_new_credential_and_the_old_one_ends_with_its_first_use(hub: HubSide, fake: Fake) -> None:
    _, old = await register(hub, fake)
    seen = len(fake.seen)
    fake.credential = "N" * 20
    http_status, envelope = await call("PUT", credentials_url(hub), old, fake.document((TNM, Role.CPO)))
    new = envelope["data"]["token"]
    assert http_status == 200
    assert [path for _, path, _ in fake.seen[seen:]] == ["/versions", "/2.2.1"]
    assert await works(hub, old)
    assert await works(hub, new)
    assert not await works(hub, old)
    assert await works(hub, new)


async def test_the_old_credential_outlives_a_put_by_the_grace_at_most(hub: HubSide, fake: Fake) -> None:
    _, old = await register(hub, fake)
    assert await works(hub, old)
    await call("PUT", credentials_url(hub), old, fake.document((TNM, Role.CPO)))
    hub.clock.ms += 3_599_000
    assert await works(hub, old)
    await call("PUT", credentials_url(hub), old, fake.document((TNM, Role.CPO)))
    hub.clock.ms += 1_001
    assert not await works(hub, old)


async def test_delete_ends_the_platform_and_its_credential(hub: HubSide, fake: Fake) -> None:
    _, access = await register(hub, fake)
    http_status, envelope = await call("DELETE", credentials_url(hub), access)
    assert (http_status, envelope["status_code"], "data" in envelope) == (200, 1000, False)
    assert not await works(hub, access)
    assert hub.registry.directory.hosted(TNM) == ()
    await register(hub, fake)


async def test_405_for_post_when_registered_and_for_put_and_delete_when_not(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    document = fake.document((TNM, Role.CPO))
    assert (await call("PUT", credentials_url(hub), invitation, document))[0] == 405
    assert (await call("DELETE", credentials_url(hub), invitation))[0] == 405
    _, envelope = await post(hub, invitation, document)
    assert (await post(hub, envelope["data"]["token"], document))[0] == 405
    assert (await call("PATCH", credentials_url(hub), envelope["data"]["token"], document))[0] == 405


async def test_a_store_that_is_away_is_503_and_3000(hub: HubSide, fake: Fake) -> None:
    invitation = await hub.invite()
    hub.store.away = "gone"
    http_status, envelope = await post(hub, invitation, fake.document((TNM, Role.CPO)))
    assert (http_status, envelope["status_code"]) == (503, 3000)
    assert "store is away" in envelope["status_message"]
    assert fake.seen == []
    hub.store.away = None
    assert (await post(hub, invitation, fake.document((TNM, Role.CPO))))[0] == 200
