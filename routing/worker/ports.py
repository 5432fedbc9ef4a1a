"""What the worker asks of the world around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from connectors.values import PartyId
from routing.deadletters import Reason
from routing.directory import Hosted
from routing.event import Event
from routing.outbound import Answered
from routing.policies import Terms
from routing.policy import Outcome


@dataclass(frozen=True, slots=True)
class Push:
    """One push towards one recipient. `path` and `query` come after its endpoint URL; `sender` is the FROM party."""

    to: Hosted
    sender: PartyId
    module: str
    method: str
    path: tuple[str, ...]
    query: str
    body: bytes
    correlation_id: str


class Sender(Protocol):
    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        """One attempt within so many seconds; `permit` is asked last thing before the first byte.

        Raises NotConnected (no byte was sent), OutcomeUnknown, or HubError (no envelope came back).
        """


class Resolver(Protocol):
    """Who gets an event, by the directory as it is at the moment of asking."""

    def broadcast(self, event: Event) -> Sequence[Hosted]: ...

    def directed(self, event: Event) -> Hosted:
        """Raises UnknownReceiver, NotConnected or HubError, as the caller shall read it."""

    def custodian(self, event: Event) -> Hosted | None:
        """The recipient, if the hub takes for it what it cannot be given now."""

    def deduplicates(self, party: PartyId) -> bool:
        """Whether it takes a CDR that it is sent twice for one."""

    def still(self, event: Event, recipient: PartyId, platform: str) -> Hosted | None:
        """The recipient, if a broadcast may still be sent to it."""

    def platforms(self) -> Sequence[str]:
        """The ids of all platforms that may get anything."""

    def resynced(self, platform: str, owner: PartyId, module: str) -> Sequence[Hosted]:
        """Those on this platform that get what this owner tells everybody."""

    def may_have(self, platform: str, party: PartyId | None = None) -> bool:
        """Whether anything that it missed is sent to this platform, or to this party; else its marks end as skipped."""

    def left_out(self, platform: str) -> Sequence[PartyId]:
        """The parties of this platform that are sent nothing of what it missed: for them marks end as skipped."""

    def terms(self, party: PartyId, module: str) -> Terms:
        """By which terms this party is sent what is of this module."""

    def reachable(self, platform: str) -> bool:
        """Whether it counts as reachable."""

    def returned(self, platform: str) -> int:
        """How often it hung, and showed itself again."""

    def behind(self, revision: int) -> bool:
        """Whether the directory is older than this revision."""

    async def refresh(self) -> None:
        """Bring the directory up to date."""


Locate = Callable[[Event, Hosted, str], Awaitable[str | None]]
"""Rewrites the Location header of a recipient's answer into one of the hub's; None where it must not be given on."""

Hold = Callable[[Event], Awaitable[str | None]]
"""The Location by which its sender reads a CDR back that the hub holds; None where there cannot be one."""


class Observer(Protocol):
    """Told of what happens, for metrics and logging; must not block."""

    def settled(self, module: str, outcome: Outcome, count: int = 1) -> None: ...

    def set_aside(self, topic: str) -> None: ...

    def resynced(self, module: str, outcome: Outcome) -> None:
        """An object that a platform may have missed."""

    def dead_letter(self, reason: Reason) -> None:
        """Something that the hub gave up on."""

    def trouble(self, sentence: str) -> None: ...


class Silent:
    """Nobody watches."""

    def settled(self, module: str, outcome: Outcome, count: int = 1) -> None:
        del module, outcome, count

    def set_aside(self, topic: str) -> None:
        del topic

    def resynced(self, module: str, outcome: Outcome) -> None:
        del module, outcome

    def dead_letter(self, reason: Reason) -> None:
        del reason

    def trouble(self, sentence: str) -> None:
        del sentence
