"""Asynchronous results that could not be delivered: told to their sender, and kept as dead letters for a look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from connectors.authorization import told_in
from connectors.catalogue import Row
from connectors.errors import OcpiError
from connectors.values import PartyId
from hub.edge.values import Call
from routing.clock import Clock
from routing.deadletters import BODY_BYTES, Attempted, DeadLetter, Reason, bounded, id_of
from routing.directory import Hosted
from routing.store.deadletters import DeadLetters
from routing.store.port import StoreError

log = structlog.get_logger(__name__)

WITHIN_SECONDS: Final = 2.0
"""So long the sender of a result waits for the store; a result that it does not take is in the logging alone."""


class Undelivered:
    """Keeps them in the store's `letters`; `counted` is told of each."""

    def __init__(self, letters: DeadLetters, clock: Clock, counted: Callable[[Reason], None]) -> None:
        self._letters = letters
        self._clock = clock
        self._counted = counted

    async def keep(
        self, call: Call, row: Row, sender: PartyId, to: Hosted, error: OcpiError, *,
        attempts: list[Attempted], secrets: tuple[str | None, ...],
    ) -> None:  # fmt: skip
        """Keep one that nobody will try to deliver any more; of `secrets`, headers, no credential is kept.

        Raises nothing.
        """
        body = b"" if any(told_in(header, call.body) for header in secrets) else call.body
        letter = DeadLetter(
            id=id_of("result", call.request_id, call.correlation_id, call.at, sender, to.party.id),
            at=self._clock.utc(), reason=Reason.RESULT, detail=error.message, module=row.module, method=row.method,
            path=(), owner=None, object_id=call.params.get("command", ""), variant="", sender=sender,
            recipient=to.party.id, platform=to.platform.id,
            correlation_id=call.correlation_id, request_id=call.request_id, attempts=bounded(attempts),
            size=len(call.body), body=body[:BODY_BYTES],
        )  # fmt: skip
        log.warning("result_not_delivered", letter=letter.id, party=str(to.party.id), reason=error.message)
        self._counted(letter.reason)
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await self._letters.put(letter)
        except (StoreError, TimeoutError) as away:
            log.warning("dead_letter_not_kept", letter=letter.id, reason=str(away) or type(away).__name__)
