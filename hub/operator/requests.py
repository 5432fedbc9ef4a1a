"""The bodies that the operator API takes, and one sentence for what is wrong with one."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, get_origin

from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from connectors.client import origin_of
from connectors.errors import InvalidParameters
from connectors.values import PartyId, Role
from routing.agreements import ANY, Agreement, Effect
from routing.directory import Validate


class BadRequest(Exception):
    """The body or a parameter is not what belongs there; the sentence says where."""


class ChangedMeanwhile(Exception):
    """Somebody else changed the record that this was meant for; `revision` is what it is at now."""

    def __init__(self, revision: int) -> None:
        super().__init__(
            f"somebody else changed this platform meanwhile, and it is at revision {revision} now:"
            " look at it, and say again what it should be"
        )
        self.revision = revision


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Nothing(_Body):
    """No body; or a query without parameters."""


class AgreementQuery(_Body):
    """Which rule is meant: its parties, and all its modules."""

    one: Annotated[str, Field(description="A party as COUNTRY-PARTY, or any")] = ANY
    other: Annotated[str, Field(description="The other party, or any")] = ANY
    module: Annotated[list[str], Field(description="One of its modules; given again for each; none are all")] = []


class InvitedParty(_Body):
    """One party, in one role."""

    country_code: str
    party_id: str
    role: Role

    def party(self) -> PartyId:
        """Raises BadRequest."""
        try:
            return PartyId.of(self.country_code, self.party_id)
        except ValueError as wrong:
            raise BadRequest(str(wrong)) from None


class Invite(_Body):
    """POST /api/parties/invite."""

    parties: Annotated[list[InvitedParty], Field(min_length=1, max_length=1000)]


class Complete(_Body):
    """POST /api/parties/{country_code}/{party_id}/complete: the modules that are meant, none are all.

    `complete` false takes back what was said.
    """

    modules: list[Literal["locations", "tariffs", "tokens", "sessions", "cdrs"]] = []
    complete: bool = True


class Pull(_Body):
    """POST /api/parties/{country_code}/{party_id}/pull: the modules whose lists are read, none are all."""

    modules: list[Literal["locations", "tariffs", "tokens", "sessions", "cdrs"]] = []


class Letters(_Body):
    """POST /api/deadletters/redrive and /drop: the ids of those that are meant.

    `once_more`: those too that were sent again and have not ended.
    """

    letters: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=100)]
    once_more: bool = False


class Resync(_Body):
    """POST /api/parties/{country_code}/{party_id}/resync: what is sent once more, no modules are all.

    `since`: only what changed from this moment on, by the log's clock. `dry_run`: it is only counted.
    """

    modules: list[Literal["locations", "tariffs", "tokens"]] = []
    since: Annotated[str, Field(max_length=40)] | None = None
    dry_run: bool = False


class Connect(_Body):
    """POST /api/platforms/connect: the versions URL and the token that the other platform gave."""

    versions_url: Annotated[str, Field(min_length=1, max_length=255)]
    token: Annotated[SecretStr, Field(min_length=1, max_length=64)]

    @field_validator("token")
    @classmethod
    def _printable(cls, token: SecretStr) -> SecretStr:
        if not all("!" <= sign <= "~" for sign in token.get_secret_value()):
            raise ValueError("only printable ASCII without blanks may be in it")
        return token


class PutAgreement(_Body):
    """PUT /api/agreements: a party is `COUNTRY-PARTY`, or `any`; no modules are all."""

    effect: Effect
    one: str = ANY
    other: str = ANY
    modules: Annotated[list[Annotated[str, Field(pattern=r"^[!-~]{1,36}$")]], Field(max_length=50)] = []

    def agreement(self, now: int) -> Agreement:
        """Raises BadRequest."""
        return Agreement.of(self.effect, party_or_any(self.one), party_or_any(self.other), self.modules, now)


class PolicyQuery(_Body):
    """Which policy is meant."""

    party: Annotated[str, Field(description="A party as COUNTRY-PARTY, or any")] = ANY
    module: Annotated[str, Field(description="Empty: all")] = ""


class PutPolicy(_Body):
    """PUT /api/policies: `party` is the recipient as `COUNTRY-PARTY`, or `any`; no module is all.

    A term that is left out, or null, is not set: what is less specific decides it.
    """

    party: str = ANY
    module: str = ""
    attempts: int | None = None
    attempt_seconds: float | None = None
    backoff_seconds: float | None = None
    backoff_most_seconds: float | None = None
    refused_again: bool | None = None

    def terms(self) -> dict[str, Any]:
        return self.model_dump(exclude={"party", "module"})


class PatchSettings(_Body):
    """PATCH /api/platforms/{id}/settings: what is left out stays; null takes a setting back.

    `from` is who broadcasts are from. Without `resync` it never gets what it missed. `rate` is the most requests a
    second that the whole hub sends to it. `behind`: it is a hub that speaks for the parties behind it. With `custody`
    the hub takes CDRs that it cannot be given; `deduplicates`: it takes a CDR sent twice for one. `modules` names, by
    the URL of an endpoint that the platform advertised, the module that it serves. With `revision` it is for that
    revision of the platform only.
    """

    validation: Annotated[Validate | None, Field(alias="validate")] = None
    form: Literal["raw", "base64"] | None = None
    origins: Annotated[list[str] | None, Field(max_length=100)] = None
    speaker: Annotated[Literal["hub", "owner"] | None, Field(alias="from")] = None
    page_limit: Annotated[int | None, Field(ge=1, le=100_000)] = None
    user_agent: Annotated[str | None, Field(pattern=r"^[ -~]{1,200}$")] = None
    resync: bool | None = None
    rate: Annotated[float | None, Field(ge=0.1, le=10_000)] = None
    behind: bool | None = None
    custody: bool | None = None
    deduplicates: bool | None = None
    modules: Annotated[dict[str, Annotated[str, Field(pattern=r"^[!-~]{1,36}$")]] | None, Field(max_length=50)] = None
    revision: Annotated[int | None, Field(ge=0)] = None

    @field_validator("origins")
    @classmethod
    def _origins(cls, origins: list[str] | None) -> list[str] | None:
        try:
            return None if origins is None else list(dict.fromkeys(origin_of(origin) for origin in origins))
        except InvalidParameters as wrong:
            raise ValueError(wrong.message) from None


def party_or_any(text: str) -> PartyId | None:
    """The party of `NL-TNM`, None for `any`. Raises BadRequest."""
    try:
        return None if text.strip().lower() == ANY else PartyId.parse(text)
    except ValueError as wrong:
        raise BadRequest(f"{wrong}; or {ANY}") from None


BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)


def read(model: type[BodyT], body: bytes) -> BodyT:
    """The body as this model. Raises BadRequest naming each path, and never what stood there."""
    try:
        return model.model_validate_json(body)
    except ValidationError as wrong:
        raise BadRequest("; ".join(f"{_path(place)}: {said}" for place, said in _errors(wrong))) from None


def read_query(model: type[QueryT], query: MultiMapping[str]) -> QueryT:
    """The query as this model. Raises BadRequest naming each parameter."""
    given: dict[str, object] = {}
    for name in query:
        values = query.getall(name)
        field = model.model_fields.get(name)
        several = field is not None and get_origin(field.annotation) is list
        if len(values) > 1 and not several:
            raise BadRequest(f"the query has {name[:40]} more than once")
        given[name] = values if several else values[0]
    try:
        return model.model_validate(given)
    except ValidationError as wrong:
        told = "; ".join(f"{str(place[0])[:40]} of the query: {said}" for place, said in _errors(wrong))
        raise BadRequest(told) from None


def number(text: str, *, least: int, most: int, name: str) -> int:
    """A whole number in the path. Raises BadRequest."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise BadRequest(f"{name} is not a whole number of {least} to {most}")
    return value


def _errors(wrong: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    told = wrong.errors(include_url=False, include_input=False, include_context=False)[:20]
    return [(error["loc"], error["msg"]) for error in told]


def _path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
