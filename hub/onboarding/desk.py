"""What every step of onboarding needs at hand, and the errors of the store as OCPI's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.authorization import Form
from connectors.errors import InvalidParameters, RegistryAway
from connectors.values import PartyId
from hub.keys import Keys
from hub.onboarding import body, rules
from hub.onboarding.handshake import Found, Handshake
from hub.onboarding.records import Facts
from hub.registry import Registry
from hub.settings import Settings
from routing.store.port import Conflict, StoreAway, Taken

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the hub is towards parties, and how long what it issues lives (milliseconds)."""

    party: PartyId
    name: str
    versions_url: str
    invitation_ms: int
    grace_ms: int

    @classmethod
    def of(cls, settings: Settings) -> Identity:
        return cls(
            settings.party,
            settings.name,
            settings.versions_url,
            settings.invitation_days * _DAY_MS,
            int(settings.grace_seconds * 1000),
        )


@dataclass(frozen=True, slots=True)
class Desk:
    """The directory, the keys, the way to call a platform, and who the hub is."""

    registry: Registry
    keys: Keys = field(repr=False)
    handshake: Handshake
    identity: Identity

    def written(self, credential: str) -> dict[str, Any]:
        """The hub's Credentials object with this credential in it."""
        identity = self.identity
        return body.written(
            credential=credential, versions_url=identity.versions_url, hub=identity.party, name=identity.name
        )

    def facts(self, platform: str, found: Found, wanted: body.Wanted, versions_url: str) -> Facts:
        """What a handshake found out, the credential to present encrypted for this platform."""
        return Facts(
            version=found.version,
            versions_url=versions_url,
            endpoints=found.endpoints,
            origins=found.origins,
            parties=wanted.parties,
            presents=self.keys.encrypt(wanted.credential.get_secret_value().encode(), platform.encode()),
            form=found.form,
        )


def forms(first: Form, override: Form | None = None) -> tuple[Form, ...]:
    """The ways of writing the Authorization header to try, in order; an operator's setting stands alone."""
    if override is not None:
        return (override,)
    return (first, *(form for form in Form if form is not first))


@contextmanager
def told() -> Iterator[None]:
    """Turns what the store raises into InvalidParameters (2001) and RegistryAway (503, 3000)."""
    try:
        yield
    except Taken as wrong:
        raise InvalidParameters(rules.taken(wrong.what)) from None
    except (StoreAway, Conflict) as away:
        raise RegistryAway("the hub's store cannot be used now, so this may not have been kept; repeat it") from away
