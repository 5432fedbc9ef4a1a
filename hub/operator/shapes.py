"""What the operator API tells, field by field: the schemas of its document. A test holds every answer to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.values import InterfaceRole, Role
from routing.agreements import Effect
from routing.deadletters import Reason
from routing.directory import Kind, Status, Validate

PartyText = Annotated[str, Field(description="A party as COUNTRY-PARTY", examples=["NL-TNM"])]
Moment = Annotated[str, Field(description="A moment in UTC", examples=["2026-01-31T12:00:00.000Z"])]


class Shape(BaseModel):
    """Fields are added, and none is changed or taken away: pass over what you do not know."""

    # Built by who asks for the document: answers are not judged by them while the hub serves.
    model_config = ConfigDict(extra="forbid", defer_build=True)


class Failure(Shape):
    """What is answered with every status that is no success."""

    error: str = Field(description="One sentence that says what to mend")
    revision: int | None = Field(None, description="Of a record that somebody else changed meanwhile: its revision now")


class Health(Shape):
    status: Literal["alive"]


class Ready(Shape):
    ready: bool
    reasons: list[str] = Field(description="What keeps the hub from its work, a sentence each")


class Paged(Shape):
    """A page of a list; the headers X-Total-Count and Link say the same."""

    total: int = Field(description="Rows of all pages")
    offset: int
    limit: int


# --- parties and platforms -------------------------------------------------------------------------------------------


class Invited(Shape):
    token: str = Field(description="What the party registers with (OCPI's TOKEN_A); it is told only this once")
    versions_url: str


class PartyRole(Shape):
    role: Role
    name: str
    status: Status
    registered: bool = Field(description="Whether it has registered, or is only invited")
    suspended: bool
    removed: bool
    behind: PartyText | None = Field(description="The hub that it is behind; null: it is here itself")


class PartyRow(PartyRole):
    party: PartyText
    country_code: str
    party_id: str
    platform: str = Field(description="Id of the platform that hosts it")
    version: str = Field(description="OCPI version; empty before it registered")


class PartyPage(Paged):
    parties: list[PartyRow]


class EndpointShown(Shape):
    identifier: str
    role: InterfaceRole
    url: str


class IssuedShown(Shape):
    """A credential that the hub issued, without the credential."""

    kind: Kind
    created: Moment
    expires: Moment | None
    used: bool


class PositionShown(Shape):
    epoch: int
    offset: int


class MarkShown(Shape):
    """From where on a platform has to be resynced."""

    topic: str
    partition: int
    position: PositionShown
    since: Moment
    reason: str
    resync: bool = Field(description="Whether it is being worked off")
    party: PartyText | None = Field(description="For which party alone an operator asked for it; null: for all on it")


class SettingsShown(Shape):
    """What an operator set for a platform."""

    validation: Annotated[Validate, Field(alias="validate")]
    form: Literal["raw", "base64"] | None
    origins: list[str]
    speaker: Annotated[Literal["hub", "owner"], Field(alias="from")]
    page_limit: int | None
    user_agent: str | None
    resync: bool = Field(description="Whether it gets the newest state of what it missed")
    rate: float | None = Field(description="Requests a second that the whole hub sends to it at most")
    behind: bool = Field(description="Whether it is a hub that speaks for the parties behind it")
    custody: bool = Field(description="Whether the hub takes CDRs that it cannot be given, and delivers them later")
    deduplicates: bool = Field(description="Whether it takes a CDR that it is sent twice for one")
    modules: dict[str, str] = Field(description="By the URL of an endpoint the module that it serves")


class SettingsChanged(SettingsShown):
    revision: int = Field(description="Of the platform")


class PlatformShown(Shape):
    id: str
    status: Status
    version: str
    versions_url: str
    roles: list[PartyRole] = Field(description="Of the party that was asked for; of a platform, of all its parties")
    parties: list[PartyText]
    endpoints: list[EndpointShown]
    origins: list[str]
    form: Literal["raw", "base64"] = Field(description="How it writes its own Authorization header")
    settings: SettingsShown
    issued: list[IssuedShown]
    marks: list[MarkShown]
    removed: bool
    created: Moment
    updated: Moment
    revision: int


class PullShown(Shape):
    """How far the list of a module was read from the platform."""

    platform: str
    module: str
    state: Literal["waiting", "reading", "failing", "read"]
    since: Moment | None = Field(description="Of a reading by dates, what changed from then on; null: the whole list")
    started: Moment
    ended: Moment | None
    pages: int
    objects: int = Field(description="That are stored by now")
    total: int | None = Field(description="As the platform said with its last page")
    gone: int = Field(description="Objects that the list has no more")
    foreign: int = Field(description="Objects of others than the platform's parties, passed over")
    failures: int = Field(description="In a row; it is tried again")
    reason: str = Field(description="Of the last failure")


class ResyncShown(Shape):
    """How far it is that a party is sent everything of a module once more, since an operator asked for it."""

    platform: str
    module: str
    state: Literal["counted", "waiting", "running", "done", "skipped"] = Field(
        description="waiting: until the platform can be reached; skipped: it is not to have all of them any more"
    )
    asked: Moment
    since: Moment | None = Field(description="Only what changed from then on; null: everything")
    objects: int = Field(description="As many as there were when it was asked for")
    done: int
    skipped: int


class ResyncAsked(Shape):
    party: PartyText
    dry_run: bool = Field(description="It was only counted")
    resyncs: list[ResyncShown]


class CustodyShown(Shape):
    """CDRs that the hub took for the party and that are not done with."""

    held: Literal["waiting", "attempting", "parked", "given_up"] = Field(
        description="parked: sent, and nobody knows whether it arrived. given_up: its seven days are over"
    )
    count: int
    oldest: Moment = Field(description="Since when the oldest is so")


class PartyShown(Shape):
    party: PartyText
    country_code: str
    party_id: str
    status: Status
    complete: dict[str, Moment] = Field(description="The modules of which the hub has all that it owns, and since when")
    pulls: list[PullShown] = Field(description="The lists that are read from the platforms that host it")
    custody: list[CustodyShown] = Field(description="CDRs that the hub holds for it, none where there are none")
    delivery: list[ModuleTerms] = Field(description="By which terms it is sent what is for it, module by module")
    resyncs: list[ResyncShown] = Field(description="What was asked for last to be sent to it once more")
    platforms: list[PlatformShown] = Field(description="That host it or did, the present one first")


class PlatformRow(Shape):
    id: str
    status: Status
    version: str
    versions_url: str
    parties: list[PartyText]
    removed: bool
    updated: Moment
    revision: int


class PlatformPage(Paged):
    platforms: list[PlatformRow]


class Connected(Shape):
    platform: str
    parties: list[PartyRow]


# --- agreements ------------------------------------------------------------------------------------------------------


class AgreementShown(Shape):
    id: str
    effect: Effect
    one: str = Field(description="A party, or any")
    other: str = Field(description="A party, or any")
    modules: list[str] = Field(description="None are all")
    created: int = Field(description="UTC, milliseconds since 1970")


class AgreementPage(Paged):
    agreements: list[AgreementShown]
    default: Effect = Field(description="What holds where no agreement fits")


class AgreementRemoved(Shape):
    removed: str = Field(description="Its id")


# --- policies --------------------------------------------------------------------------------------------------------


class TermsShown(Shape):
    """What holds for a delivery."""

    attempts: int = Field(description="Of a broadcast until it is given up to a resync")
    attempt_seconds: float = Field(description="What one attempt of a broadcast may take")
    backoff_seconds: float = Field(description="Pause after the first attempt; it doubles with each")
    backoff_most_seconds: float
    refused_again: bool = Field(
        description="Whether what has a caller waiting is tried once more where the connection was refused"
    )
    policies: list[str] = Field(description="Ids of the policies that had a say, the most specific first")


class ModuleTerms(TermsShown):
    module: str


class PolicyShown(Shape):
    """What an operator set for deliveries; null: this policy does not set it."""

    id: str
    party: str = Field(description="The recipient, or any")
    module: str | None = Field(description="null: all")
    attempts: int | None
    attempt_seconds: float | None
    backoff_seconds: float | None
    backoff_most_seconds: float | None
    refused_again: bool | None
    created: int = Field(description="UTC, milliseconds since 1970")


class PolicyPage(Paged):
    policies: list[PolicyShown]
    default: TermsShown = Field(description="What holds where no policy says anything")


class PolicyRemoved(Shape):
    removed: str = Field(description="Its id")


# --- records set aside -----------------------------------------------------------------------------------------------


class PoisonRow(Shape):
    topic: str
    partition: int
    epoch: int
    offset: int
    appended: Moment
    set_aside: Moment
    reason: str
    key: str
    bytes: int


class PoisonPage(Paged):
    records: list[PoisonRow]


class PoisonShown(PoisonRow):
    headers: list[tuple[str, str]]
    value: str | None = Field(None, description="Where it is UTF-8")
    value_base64: str | None = Field(None, description="Where it is not")


# --- exchanges -------------------------------------------------------------------------------------------------------


class ExchangeRow(Shape):
    """One message and everything that came of it, in short."""

    id: str
    at: Moment = Field(description="When it arrived")
    way: Literal["relay", "directed", "broadcast", "resync"]
    module: str
    method: str
    object: str | None = Field(description="Id of the object that it names; of a command, its name")
    sender: PartyText | None = Field(alias="from")
    to: PartyText | None = Field(description="Its one recipient; null: everyone whom it concerns")
    request_id: str
    correlation_id: str
    settled: bool = Field(description="Whether it is known how it ended")
    outcomes: dict[str, int] = Field(description="How it ended, and for how many recipients")


class ExchangePage(Shape):
    """The header Link has the next page too."""

    exchanges: list[ExchangeRow]
    next: str | None = Field(description="What to say as `page` for the next one; null: this was the last")


class AttemptShown(Shape):
    """One request to a recipient."""

    at: Moment | None = Field(description="Not kept of a push's one good attempt")
    http_status: int | None = Field(description="0: no answer came; null: not kept, as above")
    status_code: int = Field(description="OCPI's, of the answer; the hub's own where none came")
    reason: str = Field(description="Why no answer came, or empty")
    ms: int


class RecipientShown(Shape):
    party: str = Field(description="COUNTRY-PARTY; empty: it ended so for nobody in particular")
    outcome: str
    detail: str
    attempts: list[AttemptShown]


class LogPosition(PositionShown):
    topic: str
    partition: int


class BodyShown(Shape):
    name: str
    text: str | None = Field(None, description="Where it is UTF-8")
    base64: str | None = Field(None, description="Where it is not")


class ExchangeShown(ExchangeRow):
    path: list[str] = Field(description="What stood after the endpoint's URL")
    owner: PartyText | None
    version: str | None
    forwarded_id: str | None = Field(description="X-Request-ID of a relay as its recipient read it")
    decided: list[str] = Field(description="What the hub decided and why, in sentences")
    findings: list[str] = Field(description="What was off in the body: each a JSON path and a sentence")
    position: LogPosition | None = Field(
        description="Where a push stands on the log; of a resync, the newest that it stands for"
    )
    appended: Moment | None
    bytes: int | None = Field(description="Of the body of a push")
    recipients: list[RecipientShown]
    ms: float | None = Field(description="Of a relay: the whole call")
    hub_ms: float | None = Field(description="The same without waiting for the recipient")
    bodies: list[BodyShown] = Field(description="Where HUB_ARCHIVE_BODIES keeps them")


# --- dead letters ----------------------------------------------------------------------------------------------------


class LetterRow(Shape):
    """What the hub gave up on for one recipient, in short."""

    id: str
    at: Moment = Field(description="When the hub gave up")
    reason: Reason = Field(
        description="result: not delivered in the time of its command. resync: answered with errors while others were "
        "taken. custody: its time ran out. unknown: an attempt in custody ended without an outcome"
    )
    detail: str
    module: str
    method: str
    object: str
    owner: PartyText | None
    sender: PartyText = Field(alias="from")
    to: PartyText
    correlation_id: str
    attempts: int = Field(description="How many are kept")
    redriven: Moment | None = Field(description="When it was last sent again, where it is not known how that ended")


class LetterPage(Paged):
    letters: list[LetterRow]


class LetterAttempt(Shape):
    """One request to the recipient."""

    at: Moment
    http_status: int = Field(description="0: no answer came")
    status_code: int = Field(description="OCPI's, of the answer; the hub's own where none came")
    reason: str
    ms: int
    answer: str = Field(description="The first bytes of the answer")


class LetterShown(LetterRow):
    path: list[str] = Field(description="What comes after the endpoint's URL")
    platform: str = Field(description="Id of the recipient's platform")
    request_id: str
    exchange: str | None = Field(description="Id of the exchange that it belongs to")
    tried: list[LetterAttempt]
    again: str | None = Field(description="Why it cannot be sent again; null: it can")
    bytes: int = Field(description="Of the body, of which the first ones may be kept only")
    body: str


class LetterDone(Shape):
    id: str
    done: Literal["redriven", "already", "refused", "dropped", "gone"]
    why: str


class LettersDone(Shape):
    letters: list[LetterDone]
