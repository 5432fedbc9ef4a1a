"""Sending again what the hub gave up on: an event of its own on the log, which names a dead letter. Pure.

It takes its place in the order of acceptance like every other (promise 2), and says nothing of what is sent: that is
the object's newest state when its turn comes.
"""

from __future__ import annotations

from connectors.values import Role
from routing.deadletters import DeadLetter
from routing.event import Again, Event, Operation


def event_of(letter: DeadLetter, *, id: str, now: int, within: int, revision: int) -> Event:
    """The event that has this letter sent again; the log must have it `within` ms from `now` (UTC ms)."""
    owner = letter.owner or letter.sender
    return Event(
        id=id, module=letter.module, owner=owner, object_id=letter.object_id, operation=Operation(letter.method),
        path=letter.path, query=f"type={letter.variant}" if letter.variant else "", audience=letter.recipient,
        sender=letter.sender, sender_role=Role.OTHER, platform=letter.platform, accepted=now, expires=now + within,
        request_id=letter.request_id or id, correlation_id=letter.correlation_id or id, revision=revision, payload=b"",
        variant=letter.variant, again=Again(letter.id, letter.version),
    )  # fmt: skip
