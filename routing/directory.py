"""The directory: platforms, parties, agreements and policies as one immutable snapshot with a revision, swapped whole.

Everything that decides who gets what reads a `Directory` and nothing else, so decisions are functions of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from connectors.authorization import Form
from connectors.custom import is_custom
from connectors.values import InterfaceRole, PartyId, Role
from routing.agreements import Effect, Rules
from routing.policies import Policies


class Status(StrEnum):
    """ConnectionStatus of HubClientInfo (OCPI 2.2.1, 15.4.1), of a platform and so of its parties."""

    PLANNED = "PLANNED"
    CONNECTED = "CONNECTED"
    OFFLINE = "OFFLINE"
    SUSPENDED = "SUSPENDED"


class Validate(StrEnum):
    """Whether fatal findings refuse a push: by its kind (default), always, or never."""

    DEFAULT = "default"
    REFUSE = "refuse"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One entry of a platform's version details, its URL as advertised."""

    identifier: str
    role: InterfaceRole
    url: str


@dataclass(frozen=True, slots=True)
class Party:
    """country_code + party_id + role, hosted by a platform.

    `behind` is the hub that it is behind, None where it is here itself; `said` is what that hub says of it.
    """

    id: PartyId
    role: Role
    name: str = ""
    suspended: bool = False
    removed: bool = False
    behind: PartyId | None = None
    said: Status | None = None


class Beyond(NamedTuple):
    """A party behind another hub, as that hub told it last; `updated` is its own last_updated (UTC ms)."""

    id: PartyId
    role: Role
    status: Status
    updated: int


class Kind(StrEnum):
    """What a credential that the hub issued is for: INVITATION (OCPI's TOKEN_A) or ACCESS (TOKEN_B or TOKEN_C)."""

    INVITATION = "invitation"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential that the hub issued, known by its SHA-256 only. `expires` is UTC ms, None: never."""

    digest: bytes = field(repr=False)
    kind: Kind
    created: int
    expires: int | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """What an operator set for one platform, for what real peers need.

    `form` overrides how the Authorization header is written. `origins` are good for its URLs beside those that it
    registered. `from_owner`: a broadcast reaches it with the object's owner in FROM, not the hub. `page_limit` is the
    most objects that the hub asks it for in a page. `user_agent` replaces the hub's own towards it. `renames` are
    pairs of an advertised endpoint URL and the module that it serves, whatever name it was advertised under. Without
    `resync` it never gets what it missed. `rate` is the most requests a second that the whole hub sends to it.
    `behind`: it is a hub that may speak for the parties behind it. With `custody` the hub takes CDRs for it that it
    cannot be given, and delivers them later; `deduplicates`: it takes a CDR that it is sent twice for one.
    """

    validate: Validate = Validate.DEFAULT
    form: Form | None = None
    origins: tuple[str, ...] = ()
    from_owner: bool = False
    page_limit: int | None = None
    user_agent: str | None = None
    renames: tuple[tuple[str, str], ...] = ()
    resync: bool = True
    rate: float | None = None
    behind: bool = False
    custody: bool = False
    deduplicates: bool = False


@dataclass(frozen=True, slots=True)
class Platform:
    """One OCPI connection: a credential each way, a versions URL, its endpoints, its negotiated version.

    `invited` are the parties that its invitation may register; `parties` those that it did. `presents` is the
    credential that the hub sends to it, encrypted (see hub/keys). `form` is how this platform writes its own
    Authorization header, and so how the hub writes towards it. `origins` are those known from registration.
    `beyond` are the parties behind it that it told of. `revision` counts the changes of this record. Times are UTC ms.
    """

    id: str
    status: Status = Status.PLANNED
    invited: tuple[tuple[PartyId, Role], ...] = ()
    parties: tuple[Party, ...] = ()
    versions_url: str = ""
    version: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    origins: tuple[str, ...] = ()
    presents: bytes | None = field(default=None, repr=False)
    form: Form = Form.BASE64
    issued: tuple[Issued, ...] = ()
    settings: PlatformSettings = PlatformSettings()
    beyond: tuple[Beyond, ...] = ()
    removed: bool = False
    created: int = 0
    updated: int = 0
    revision: int = 0

    def endpoint(self, module: str, interface: InterfaceRole) -> Endpoint | None:
        """Where the platform serves a module in this role; None where it does not."""
        for endpoint in () if self.settings.renames else self.endpoints:
            if endpoint.role is interface and endpoint.identifier == module:
                return endpoint
        return self._renamed(module, interface)

    def _renamed(self, module: str, interface: InterfaceRole) -> Endpoint | None:
        """The same by the names that the operator gave, and without case, as names are compared."""
        wanted = module.lower()
        for endpoint, name in self.named():
            if endpoint.role is interface and name.lower() == wanted:
                return endpoint
        return None

    def named(self) -> Iterator[tuple[Endpoint, str]]:
        """Every endpoint and the module that it serves: as advertised, or as the operator says."""
        names = dict(self.settings.renames)
        return ((endpoint, names.get(endpoint.url, endpoint.identifier)) for endpoint in self.endpoints)

    @property
    def known_origins(self) -> tuple[str, ...]:
        return self.origins + self.settings.origins

    @property
    def registered(self) -> bool:
        return bool(self.version) and not self.removed

    @property
    def in_front(self) -> Party | None:
        """The hub that this platform is, where it may speak for those behind it; None where it speaks for itself."""
        if not self.settings.behind or not self.registered or self.status is Status.SUSPENDED:
            return None
        return next((p for p in self.parties if p.role is Role.HUB and not p.removed and not p.suspended), None)


@dataclass(frozen=True, slots=True)
class Hosted:
    """A party and the platform that hosts it."""

    platform: Platform
    party: Party


class Agreements(Protocol):
    """Who may deal with whom, about what."""

    def allows(self, one: PartyId, other: PartyId, module: str) -> bool: ...

    def names(self, owner: PartyId, reader: PartyId, module: str) -> bool:
        """Whether an agreement gives `reader`, by name, what of `owner` is not for everyone."""


OPEN: Final = Rules((), Effect.ALLOW)
"""The agreements of a hub without rules: everybody with everybody about everything."""


RecipientsKey = tuple[str, PartyId, Role, str]
"""Platform id, sending party, its role, module: what the recipients of a broadcast depend on."""

RouteKey = tuple[str, InterfaceRole, PartyId, PartyId]
"""Module, interface, sender, TO: what the recipient of a call depends on."""

MAX_ROUTES = 50_000


class Directory:
    """The snapshot. Build a new one for every change; look-ups are dictionary reads."""

    def __init__(
        self,
        platforms: Iterable[Platform],
        *,
        hub: PartyId,
        revision: int = 0,
        agreements: Agreements | None = None,
        policies: Policies | None = None,
    ) -> None:
        self.hub = hub
        self.revision = revision
        self.agreements: Agreements = agreements or OPEN
        self.policies = policies or Policies()
        self.platforms: dict[str, Platform] = {platform.id: platform for platform in platforms}
        self._by_digest: dict[bytes, tuple[Platform, Issued]] = {}
        self._by_party: dict[PartyId, list[Hosted]] = {}
        self._invited: set[PartyId] = set()
        for platform in self.platforms.values():
            if platform.removed:
                continue
            known = {party.id for party in platform.parties}
            self._invited.update(party for party, _ in platform.invited if party not in known)
            for issued in platform.issued:
                self._by_digest[issued.digest] = (platform, issued)
            for party in platform.parties:
                if not party.removed:
                    self._by_party.setdefault(party.id, []).append(Hosted(platform, party))
        self._beyond = self._found_beyond()
        for id, parties in self._beyond.items():
            for party in parties:
                self._by_party.setdefault(party.id, []).append(Hosted(self.platforms[id], party))
        self._recipients: dict[RecipientsKey, tuple[Hosted, ...]] = {}
        self._routes: dict[RouteKey, Hosted] = {}
        self._custom: dict[tuple[str, InterfaceRole], str] | None = None

    def _found_beyond(self) -> dict[str, tuple[Party, ...]]:
        """By platform the parties behind it that it is the way to: of several ways the first that is open."""
        ways: dict[PartyId, tuple[bool, int, str]] = {}
        told = [(platform, hub) for platform in self.platforms.values() if (hub := platform.in_front) is not None]
        for platform, _ in told:
            for one in platform.beyond:
                if one.id == self.hub or one.id in self._by_party or one.id in self._invited:
                    continue  # who is here itself is never reached by a detour
                closed = {one.status, platform.status} != {Status.CONNECTED}
                way = closed, platform.created, platform.id
                ways[one.id] = min(way, ways.get(one.id, way))
        return {
            platform.id: tuple(
                Party(one.id, one.role, suspended=one.status is not Status.CONNECTED, behind=hub.id, said=one.status)
                for one in platform.beyond
                if one.id in ways and ways[one.id][2] == platform.id
            )
            for platform, hub in told
        }

    def beyond(self, platform: str) -> tuple[Party, ...]:
        """The parties behind this platform that it speaks for and is the way to."""
        return self._beyond.get(platform, ())

    def spoken_for(self, platform: str, id: PartyId | None) -> tuple[Party, ...]:
        """Those of the parties behind this platform that have this id, found without looking at thousands."""
        if id is None or platform not in self._beyond:
            return ()
        return tuple(one.party for one in self.hosted(id) if one.platform.id == platform and one.party.behind)

    @property
    def custom(self) -> Mapping[tuple[str, InterfaceRole], str]:
        """The custom modules that somebody here serves, each in lower case and with its role: as it was written.

        Worked out when it is first asked for. Whoever is only offline still serves them.
        """
        if self._custom is None:
            found: dict[tuple[str, InterfaceRole], str] = {}
            for platform in self.platforms.values():
                if platform.registered and platform.status is not Status.SUSPENDED:
                    for endpoint, name in platform.named():
                        if is_custom(name):
                            found.setdefault((name.lower(), endpoint.role), name)
            self._custom = dict(sorted(found.items()))
        return self._custom

    def credential(self, digest: bytes) -> tuple[Platform, Issued] | None:
        """The platform that presents this credential, by its SHA-256; expiry is the caller's to judge."""
        return self._by_digest.get(digest)

    def hosted(self, party: PartyId) -> tuple[Hosted, ...]:
        """Every role that this party has, with its platform; empty when the hub does not know it."""
        return tuple(self._by_party.get(party, ()))

    def invited(self, party: PartyId) -> bool:
        """Whether an invitation names this party, which never registered with it."""
        return party in self._invited

    def everyone(self) -> Iterable[Hosted]:
        """Every party known, in a stable order."""
        for party in sorted(self._by_party):
            yield from self._by_party[party]

    def remembered(self, key: RecipientsKey) -> tuple[Hosted, ...] | None:
        """What `remember` kept for this snapshot."""
        return self._recipients.get(key)

    def remember(self, key: RecipientsKey, recipients: tuple[Hosted, ...]) -> tuple[Hosted, ...]:
        """Keep the recipients of a broadcast as long as this snapshot lives: they are asked for with every event."""
        self._recipients[key] = recipients
        return recipients

    def route(self, key: RouteKey) -> Hosted | None:
        """What `keep_route` kept for this snapshot."""
        return self._routes.get(key)

    def keep_route(self, key: RouteKey, hosted: Hosted) -> Hosted:
        """Keep who a call goes to; all are let go when they are too many."""
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        self._routes[key] = hosted
        return hosted
