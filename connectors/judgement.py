"""What a body is judged to be: who owns it, what it is called, and what is off about it.

Judging never makes bytes: what is sent on are the sender's own. A version module's `judge` produces these values.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.values import PartyId


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is off in a body.

    `path` is a JSON path such as `$.evses[0].status`; `what` says what is off and what belongs there. `fatal` marks
    a required field that lacks or a wrong JSON type: the hub refuses a broadcast for those, everything else is noted.
    """

    path: str
    what: str
    fatal: bool

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the hub needs to know of a body to route it; absent things are None.

    `owner` and `object_id` come from the body; `cdr_token` is the eMSP that the body's cdr_token names; `token` the
    owner of a Token inside a command; `appends` says that the push appends (a session PATCH with charging_periods).
    `location_id`, `session_id` and `reservation_id` are those that a command names, `cdr_token_uid`, `token_type`
    and `contract_id` those of a cdr_token that names no eMSP: what tells the receiver where no header does.
    """

    owner: PartyId | None = None
    object_id: str | None = None
    last_updated: str | None = None
    cdr_token: PartyId | None = None
    token: PartyId | None = None
    token_type: str | None = None
    cdr_token_uid: str | None = None
    contract_id: str | None = None
    location_id: str | None = None
    session_id: str | None = None
    reservation_id: str | None = None
    response_url: str | None = None
    appends: bool = False
    findings: tuple[Finding, ...] = ()
