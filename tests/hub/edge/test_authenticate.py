"""Authentication: which platform calls; what is remembered never outlives what the registry says."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from connectors.authorization import Form, digest
from connectors.errors import EngineAway, Unauthorized
from connectors.values import PartyId
from hub.edge.authenticate import Authenticator, check_invitation
from hub.edge.values import Caller
from routing.directory import Directory, Issued, Kind, Platform, Status

SECRET = "s3cret-of-the-platform"
RAW = f"Token {SECRET}"
BASE64 = f"Token {b64encode(SECRET.encode()).decode()}"
ISSUED = Issued(digest(SECRET), Kind.ACCESS, 0, used=True)
PLATFORM = Platform("p", status=Status.CONNECTED, issued=(ISSUED,))


class Registry:
    def __init__(self, *platforms: Platform) -> None:
        self.known = {issued.digest: (platform, issued) for platform in platforms for issued in platform.issued}
        self.directory = Directory(platforms, hub=PartyId("NL", "HUB"))
        self.asked: list[bytes] = []
        self.away = False

    async def lookup(self, key: bytes) -> tuple[Platform, Issued] | None:
        self.asked.append(key)
        if self.away:
            raise EngineAway("away")
        return self.known.get(key)

    async def newer(self, seen: Directory) -> Directory | None:
        raise AssertionError(seen)

    def authorization_for(self, platform: Platform) -> str:
        raise AssertionError(platform)

    def trouble(self) -> str | None:
        return None

    def store_trouble(self) -> str | None:
        return None


class Onboarding:
    def __init__(self) -> None:
        self.first: list[str] = []

    async def handle_credentials(self, *_: Any, **__: Any) -> tuple[int, dict[str, Any] | None]:
        raise AssertionError

    def first_use(self, platform: Platform, issued: Issued) -> None:
        assert not issued.used
        self.first.append(platform.id)


class NoSigns:
    def alive(self, platform: Platform) -> None: ...

    def failed(self, platform: Platform) -> None: ...


def made(*platforms: Platform, size: int = 10) -> tuple[Authenticator, Registry, Onboarding]:
    registry, onboarding = Registry(*platforms), Onboarding()
    return Authenticator(registry, onboarding, NoSigns(), size=size), registry, onboarding


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (RAW, Form.RAW),
        (BASE64, Form.BASE64),
        (f"  {BASE64} ", Form.BASE64),
        (BASE64.replace("Token", "token"), Form.BASE64),
    ],
)
async def test_both_ways_of_writing_a_credential_are_taken_and_told(header: str, form: Form) -> None:
    authenticator, *_ = made(PLATFORM)
    for _ in range(2):
        assert await authenticator.authenticate(header) == Caller(PLATFORM, ISSUED, form)


@pytest.mark.parametrize(
    "header", [None, "", "Token", "Bearer abc", "Token unknown", f"Token {SECRET}x", "Token \u00e9"]
)
async def test_p10_what_is_no_credential_of_the_hub_is_401(header: str | None) -> None:
    authenticator, *_ = made(PLATFORM)
    with pytest.raises(Unauthorized, match="Authorization: Token"):
        await authenticator.authenticate(header)


async def test_p11_the_refusal_does_not_repeat_the_credential() -> None:
    authenticator, *_ = made()
    with pytest.raises(Unauthorized) as error:
        await authenticator.authenticate(RAW)
    assert SECRET not in error.value.message


async def test_a_remembered_header_is_hashed_once_and_asked_of_the_registry_every_time() -> None:
    authenticator, registry, _ = made(PLATFORM)
    for _ in range(3):
        await authenticator.authenticate(BASE64)
    assert registry.asked[-2:] == [ISSUED.digest] * 2
    assert len(registry.asked) == 3  # the reading that the snapshot knows, and then twice what was remembered


async def test_a_credential_that_ended_is_401_at_once_although_its_header_is_remembered() -> None:
    authenticator, registry, _ = made(PLATFORM)
    await authenticator.authenticate(RAW)
    registry.known.clear()
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(RAW)
    registry.known[ISSUED.digest] = (PLATFORM, ISSUED)
    assert (await authenticator.authenticate(RAW)).platform is PLATFORM


async def test_suspension_holds_at_once_although_the_header_is_remembered() -> None:
    authenticator, registry, _ = made(PLATFORM)
    await authenticator.authenticate(RAW)
    registry.known[ISSUED.digest] = (replace(PLATFORM, status=Status.SUSPENDED), ISSUED)
    with pytest.raises(Unauthorized, match="suspended"):
        await authenticator.authenticate(RAW)


async def test_what_is_remembered_is_bounded() -> None:
    many = [Platform(str(n), issued=(Issued(digest(f"c{n}"), Kind.ACCESS, 0, used=True),)) for n in range(20)]
    authenticator, *_ = made(*many, size=5)
    for n in range(20):
        assert (await authenticator.authenticate(f"Token c{n}")).platform.id == str(n)
    assert len(authenticator._digests) == 5


async def test_the_first_use_of_an_access_credential_is_told_and_of_an_invitation_not() -> None:
    fresh = Platform("new", issued=(Issued(digest("a"), Kind.ACCESS, 0), Issued(digest("b"), Kind.INVITATION, 0)))
    authenticator, _, onboarding = made(fresh, PLATFORM)
    for header in ("Token b", RAW, "Token a"):
        await authenticator.authenticate(header)
    assert onboarding.first == ["new"]


async def test_a_store_that_is_away_is_503_and_not_401() -> None:
    authenticator, registry, _ = made(PLATFORM)
    registry.away = True
    with pytest.raises(EngineAway):
        await authenticator.authenticate(RAW)


def test_an_invitation_opens_versions_and_credentials_only() -> None:
    caller = Caller(PLATFORM, replace(ISSUED, kind=Kind.INVITATION), Form.RAW)
    for module in ("versions", "credentials"):
        check_invitation(caller, module)
    check_invitation(Caller(PLATFORM, ISSUED, Form.RAW), "locations")
    for module in ("locations", "hubclientinfo"):
        with pytest.raises(Unauthorized, match="TOKEN_A"):
            check_invitation(caller, module)
