"""What stands in the records that others may read, field by field; a test holds these to what is really written.

Values that may become more, such as outcomes, are no enumerations here: who reads them has to bear one that is new.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from connectors.values import Role
from routing.event import VIA, Operation
from routing.policy import Outcome as Ending


def known(values: type[StrEnum]) -> dict[str, Any]:
    """The values of today, as examples in the schema."""
    return {"examples": [str(value) for value in values]}


Via = Annotated[
    str,
    Field(
        description="; ".join(f"`{word}`: {means}" for word, means in VIA.items()),
        json_schema_extra={"examples": [*VIA]},
    ),
]
PartyText = Annotated[
    str, Field(description="A party, COUNTRY-PARTY in upper case", pattern="^[A-Z]{2}-[!-~]{1,3}$", examples=["NL-TNM"])
]
Milliseconds = Annotated[int, Field(description="UTC, milliseconds since 1970")]


class PushEnvelope(BaseModel):
    """The JSON in the header `ce_ocpihub` of a push or a read, whatever version of OCPI and form of URL it came by."""

    model_config = ConfigDict(validate_by_name=True)

    owner: PartyText = Field(description="Whose object it is")
    module: str = Field(description="OCPI's module identifier", examples=["locations"])
    object: str = Field(description="The id of the object as its sender wrote it; of a connector, its location's")
    variant: str = Field(description="What else tells two objects apart: the type of a token, else empty")
    op: str = Field(description="The HTTP method of the push", json_schema_extra=known(Operation))
    path: list[str] = Field(
        description="What stood after the endpoint's URL, decoded: its length tells object, EVSE and connector apart"
    )
    query: str = Field(description="The query of the URL, or empty")
    to: PartyText | None = Field(description="The one recipient of a directed push; null for a broadcast")
    from_: PartyText = Field(alias="from", description="The party that sent it")
    role: str = Field(description="The role in which it was sent", json_schema_extra=known(Role))
    platform: str = Field(description="The platform that sent it, by the hub's own id")
    accepted: Milliseconds = Field(description="When the hub took it from its sender")
    expires: Milliseconds = Field(
        description="A record whose append time is later was never accepted: its sender was told so. Pass it over"
    )
    deadline: Milliseconds | None = Field(description="Until when the sender of a directed push waits for the answer")
    reply: tuple[str, int] | None = Field(description="Internal: where the answer goes")
    request: str = Field(description="X-Request-ID of the push")
    correlation: str = Field(description="X-Correlation-ID of the push")
    revision: int = Field(description="Internal: the directory's revision when it was accepted")
    version: str = Field(description="The OCPI version of the data", examples=["2.2.1"])
    appends: bool = Field(description="Whether it adds to a list, so that it must not be applied twice")
    findings: list[str] = Field(description="What is off in the data: each a JSON path and a sentence")
    last_updated: str | None = Field(description="`last_updated` of the data as it stands there")
    via: Via = ""
    read: tuple[int, int] | None = Field(
        None,
        description="Of a read: epoch and offset of the partition's end before the owner was asked. What stands from"
        " there on may be newer. Null: a push",
    )
    for_: PartyText | None = Field(
        None, alias="for", description="Of a session or CDR that was read: the party of its cdr_token. Else null"
    )
    again: tuple[str, int] | None = Field(
        None, description="Of what is sent once again: id and version of the dead letter. Null: something else"
    )


class Row(RootModel[tuple[str, str, str, int]]):
    """How it ended for one recipient: party (empty: nobody in particular), outcome, detail, milliseconds."""

    root: tuple[
        Annotated[str, Field(description="The recipient, COUNTRY-PARTY; empty: nobody in particular")],
        Annotated[str, Field(description="How it ended", json_schema_extra=known(Ending))],
        Annotated[str, Field(description="A status code or a few words, or empty")],
        Annotated[int, Field(description="Milliseconds of the attempt; 0 where there was none")],
    ]


class Attempt(RootModel[tuple[str, int, int, int, str, int]]):
    """One request to a recipient: party, when it was begun, HTTP status, OCPI status code, words, milliseconds."""

    root: tuple[
        Annotated[str, Field(description="The recipient, COUNTRY-PARTY")],
        Annotated[int, Field(description="When it was begun: UTC, milliseconds since 1970")],
        Annotated[int, Field(description="HTTP status of the answer; 0: there was none")],
        Annotated[int, Field(description="OCPI status code of the answer, or the hub's own where there was none")],
        Annotated[str, Field(description="Why there was no answer, or empty")],
        Annotated[int, Field(description="Milliseconds")],
    ]


class Outcome(BaseModel):
    """What became of one push, for each of its recipients."""

    topic: str = Field(description="Where the push stands, without the prefix of this cluster")
    partition: int = Field(description="Its partition")
    epoch: int = Field(description="The epoch of its topic: higher after the topic was made anew")
    offset: int = Field(description="Its offset")
    event: str = Field(description="`ce_id` of the push; empty where the record could not be read")
    correlation: str = Field(description="X-Correlation-ID of the push")
    request: str = Field(description="X-Request-ID of the push")
    results: list[Row] = Field(description="A row a recipient")
    accepted: Milliseconds = Field(0, description="When the hub took the push from its sender; 0 where not known")
    custody: int = Field(
        0,
        description="Not 0: how a CDR ended that the hub had taken into custody, which a record before this one tells;"
        " one that was sent again ends more than once, each time with a greater number",
    )
    attempts: list[Attempt] = Field(
        [],
        description="Of recipients that did not take it at the first attempt, the attempts, up to a hundred an event",
    )


class Resync(BaseModel):
    """The newest state of one object, sent to one recipient that may have missed some of it, or was asked for."""

    id: str = Field(description="The same as `ce_id`")
    topic: str = Field(description="Where what it brings stands, without the prefix of this cluster")
    partition: int = Field(description="Its partition")
    epoch: int = Field(description="The epoch of its topic: higher after the topic was made anew")
    offset: int = Field(description="The offset of the newest push that it stands for")
    since: tuple[int, int] = Field(
        description="Epoch and offset: it stands for all that there is of the object from there on, up to `offset`"
    )
    owner: PartyText = Field(description="Whose object it is")
    module: str = Field(description="OCPI's module identifier", examples=["locations"])
    object: str = Field(description="The id of the object")
    variant: str = Field(description="What else tells two objects apart: the type of a token, else empty")
    version: str = Field(description="The OCPI version of what was sent", examples=["2.2.1"])
    method: str = Field(description="The HTTP method", json_schema_extra=known(Operation))
    correlation: str = Field(description="X-Correlation-ID as the recipient read it")
    asked: bool = Field(description="Whether an operator asked for it")
    begun: Milliseconds = Field(description="When its turn came")
    results: list[Row] = Field(description="One row: how it ended; `marked`: it is tried again later")
    attempts: list[Attempt] = Field(description="All requests that were begun for it")


class Exchange(BaseModel):
    """One call that the hub passed on at once, and what came of it."""

    at: Milliseconds = Field(description="When it arrived")
    row: str = Field(description="Which kind of call it was, by the hub's catalogue")
    module: str = Field(description="OCPI's module identifier")
    method: str = Field(description="The HTTP method")
    path: list[str] = Field(description="What stood after the endpoint's URL, decoded; empty for callbacks")
    sender: PartyText = Field(description="Who called")
    recipient: PartyText = Field(description="Who was called")
    request_id: str = Field(description="X-Request-ID as the caller wrote it")
    correlation_id: str = Field(description="X-Correlation-ID")
    forwarded_id: str = Field(description="X-Request-ID as the recipient read it")
    attempts: int = Field(description="Requests begun towards the recipient")
    http_status: int = Field(description="HTTP status that the caller read")
    status_code: int = Field(description="OCPI status code that the caller read")
    ms: float = Field(description="The whole call, milliseconds")
    hub_ms: float = Field(description="The same without waiting for the recipient")
    outcome: str = Field(description="`answered`, or in words why the hub answered itself")
    via: Via = ""
    tried: list[tuple[Milliseconds, str, int]] = Field(
        [], description="Attempts before the last one: when each was begun, why it came to nothing, its milliseconds"
    )
    sent: str | None = Field(None, description="The body of the call, where HUB_ARCHIVE_BODIES has it kept")
    answer: str | None = Field(None, description="The body of the recipient's answer, the same")


class Exchanges(RootModel[list[Exchange]]):
    """Relays of one process in the order in which they ended, many in one record."""
