"""Reading an object from its owner, where only the owner knows what it is: what is asked, told, and made of it. Pure.

What is read goes onto the log as an event for nobody (routing/pulled.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from uuid_utils import uuid7

from connectors.values import Module, PartyId, Role
from routing.event import Event, Operation, key
from routing.log.port import Position
from routing.state import StateKey

READ_MODULES = frozenset((Module.LOCATIONS, Module.TARIFFS, Module.TOKENS))
"""Those whose owners can be asked (OCPI 2.2.1: their SENDER interface)."""

_EXPIRES_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Sought:
    """An object that is to be read. `id` is as its owner writes it, where that is `certain`, else in upper case.

    `since` is the `last_updated` of what is known of it: the owner's list is read from there on.
    """

    owner: PartyId
    module: str
    id: str
    variant: str = ""
    certain: bool = True
    since: str | None = None

    @property
    def key(self) -> StateKey:
        """Of its state for everybody."""
        return StateKey(self.owner, self.module, self.id.upper(), self.variant, None)

    @property
    def log_key(self) -> bytes:
        return key(self.owner, self.module, self.id)


@dataclass(frozen=True, slots=True)
class Told:
    """What its owner told: the whole object, or `body` None: that there is none. `platform` is who was asked."""

    id: str
    body: bytes | None
    last_updated: str | None
    platform: str
    version: str
    role: Role
    revision: int


class NotTold(Exception):  # nobody's defect
    """Its owner did not answer, or not so that it could be read; the sentence says why."""


class Owners(Protocol):
    """The way to the owners of objects."""

    def there(self, sought: Sought) -> bool | None:
        """Whether its owner can be asked now; None: never, since it offers no such interface."""

    async def read(self, sought: Sought) -> Told | None:
        """What the owner tells; None where that says nothing for certain: it is in no list of what changed since.

        Raises NotTold.
        """


class Nobody:
    """No owner can be asked."""

    def there(self, sought: Sought) -> bool | None:
        del sought
        return None

    async def read(self, sought: Sought) -> Told | None:
        raise NotTold(f"{sought.owner} cannot be asked")


def event_of(sought: Sought, told: Told, end: Position, now: int) -> Event:
    """What was read, as it goes onto the log; `end` is where the partition ended before the owner was asked."""
    operation = Operation.PUT if told.body is not None else Operation.DELETE
    return Event(
        id=str(uuid7()), module=sought.module, owner=sought.owner, object_id=told.id, operation=operation,
        path=(*sought.owner, told.id), query=f"type={sought.variant}" if sought.variant else "", audience=None,
        sender=sought.owner, sender_role=told.role, platform=told.platform, accepted=now, expires=now + _EXPIRES_MS,
        request_id=str(uuid7()), correlation_id=str(uuid7()), revision=told.revision, payload=told.body or b"",
        variant=sought.variant, version=told.version, last_updated=told.last_updated, read=end,
    )  # fmt: skip
