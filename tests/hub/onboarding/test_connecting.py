"""The hub as the sender of the handshake, towards a sample platform and one that does not keep to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.authorization import Form
from connectors.errors import InvalidParameters, NoMatchingEndpoints, UnusableApi
from connectors.sample.calls import SampleParty
from connectors.sample.platform import SamplePlatform
from connectors.values import Role
from hub.onboarding.connecting import connect
from tests.hub.onboarding.fake import Fake, call, running
from tests.hub.onboarding.hubside import EMS, TNM, HubSide, hub_side


@pytest.fixture
async def hub() -> AsyncIterator[HubSide]:
    async with hub_side() as side:
        yield side


class Receiver(Fake):
    """Answers POST credentials, after calling the hub back with the credential of the body."""

    def __init__(self, *, only: Form | None = None) -> None:
        super().__init__(only=only)
        self.roles = ((EMS, Role.EMSP),)
        self.called_back = 0
        self.url = ""

    async def on_post(self, document: dict[str, Any]) -> dict[str, Any]:
        self.called_back, _ = await call("GET", document["url"], document["token"])
        self.credential = "C" * 20
        return self.document(*self.roles)


async def test_the_hub_registers_with_a_sample_platform(hub: HubSide) -> None:
    async with SamplePlatform([SampleParty(EMS, Role.EMSP)]) as sample:
        platform = await connect(hub.desk, sample.versions_url, SecretStr(sample.invite()))
        assert platform.registered
        (hosted,) = hub.registry.directory.hosted(EMS)
        assert hosted.party.role is Role.EMSP
        assert sample.peer is not None
        assert sample.peer.versions_url == hub.versions_url
        await sample.rotate()
        await sample.unregister()
    assert hub.registry.directory.hosted(EMS) == ()


async def test_what_the_hub_sends_works_before_it_is_answered(hub: HubSide) -> None:
    async with running(Receiver()) as receiver:
        await connect(hub.desk, receiver.versions_url, SecretStr(receiver.credential))
        assert receiver.called_back == 200
        assert receiver.posted[0]["roles"][0]["role"] == "HUB"


async def test_base64_is_tried_first_and_raw_on_401(hub: HubSide) -> None:
    async with running(Receiver(only=Form.RAW)) as receiver:
        platform = await connect(hub.desk, receiver.versions_url, SecretStr(receiver.credential))
    assert platform.form is Form.RAW
    assert [path for _, path, _ in receiver.seen] == ["/versions", "/versions", "/2.2.1", "/2.2.1/credentials"]


async def test_without_the_needed_endpoints_nothing_is_posted(hub: HubSide) -> None:
    async with running(Receiver()) as receiver:
        receiver.answers["/2.2.1"] = (200, {"status_code": 1000, "data": {"version": "2.2.1", "endpoints": []}})
        with pytest.raises(NoMatchingEndpoints, match="GET version details at"):
            await connect(hub.desk, receiver.versions_url, SecretStr(receiver.credential))
    assert receiver.posted == []
    assert not hub.registry.directory.platforms


async def test_a_refused_post_leaves_no_credential_behind(hub: HubSide) -> None:
    async with running(Receiver()) as receiver:
        receiver.answers["/2.2.1/credentials"] = (405, {"status_code": 2000, "status_message": "already"})
        with pytest.raises(UnusableApi, match=r"POST credentials at .*HTTP 405, status_code 2000 \(already\)"):
            await connect(hub.desk, receiver.versions_url, SecretStr(receiver.credential))
    assert all(platform.removed and not platform.issued for platform in hub.registry.directory.platforms.values())


async def test_a_party_that_is_taken_is_unregistered_there_again(hub: HubSide) -> None:
    async with SamplePlatform([SampleParty(TNM, Role.CPO)]) as first:
        await connect(hub.desk, first.versions_url, SecretStr(first.invite()))
        async with running(Receiver()) as receiver:
            receiver.roles = ((TNM, Role.CPO),)
            with pytest.raises(InvalidParameters, match="CPO NL-TNM is registered through another platform"):
                await connect(hub.desk, receiver.versions_url, SecretStr(receiver.credential))
            assert receiver.seen[-1][0] == "DELETE"


async def test_a_sample_platform_registers_renews_and_leaves(hub: HubSide) -> None:
    async with SamplePlatform([SampleParty(TNM, Role.CPO)], raw=True) as sample:
        await sample.register(hub.versions_url, await hub.invite())
        await sample.rotate()
        (hosted,) = hub.registry.directory.hosted(TNM)
        assert hosted.platform.form is Form.RAW
        await sample.unregister()
