"""Pushes: onto the log before anything else happens (DESIGN, the way of a message).

A broadcast is answered as soon as the log has it. The caller of a directed push is held until the worker that owns
the object's partition reports what the recipient answered. Nothing here is undone when the caller goes away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from uuid_utils import uuid7

from connectors.errors import EngineAway, InvalidParameters, NotConnected, OutcomeUnknown
from connectors.judgement import Judgement
from connectors.v2_2_1.judge import DEFAULT_TOKEN_TYPE
from connectors.values import InterfaceRole, Module, PartyId
from hub.edge.errors import made
from hub.edge.reading import owner_in_url, query_value
from hub.edge.values import Call, Caller, Pairs, Response
from hub.edge.waiting import Waiting
from hub.settings import Settings
from routing.clock import Clock
from routing.directory import Directory, Party, Validate
from routing.event import Event, Operation, encode
from routing.log.port import Log, LogError, PublishRefused
from routing.policy import GO_ON
from routing.replies import PASSED, Reply
from routing.resolve import check_owner, check_third_party, custodian, recipient

MARGIN_MS: Final = 250
"""The edge gives up on the log no earlier than so long after `expires`; and waits so long beyond a deadline."""

MAX_NAMED: Final = 20


class Push:
    """Takes pushes onto the log, and waits for the outcome of directed ones.

    `store_trouble` gives a sentence while the store is known to be away.
    """

    def __init__(
        self, settings: Settings, log: Log, waiting: Waiting, clock: Clock, *, store_trouble: Callable[[], str | None]
    ) -> None:
        self._log = log
        self._store_trouble = store_trouble
        self._waiting = waiting
        self._clock = clock
        self._publish_ms = int(settings.publish_seconds * 1000)
        self._directed_ms = int(settings.directed_seconds * 1000)

    async def broadcast(self, call: Call, directory: Directory) -> Response:
        """1000 once it is durable. Raises InvalidParameters (2001) and EngineAway (503)."""
        caller, sender, judgement = _known(call)
        if caller.platform.settings.validate is not Validate.REPORT:
            refuse(judgement)
        event = self._event(call, caller, sender, judgement, directory, None)
        began = self._clock.monotonic()
        await self._publish(event)
        call.waited += self._clock.monotonic() - began
        return made(1000)

    async def directed(self, call: Call, directory: Directory, party: PartyId) -> Response:
        """The answer of `party`, or the worker's no. Raises also UnknownReceiver, HubError and NotConnected.

        EngineAway (503), and nothing goes onto the log, where the worker could not send it without the store.
        """
        caller, sender, judgement = _known(call)
        if caller.platform.settings.validate is Validate.REFUSE:
            refuse(judgement)
        try:
            to = recipient(directory, call.module, InterfaceRole.RECEIVER, sender.id, party)
        except NotConnected:
            kept = custodian(directory, call.module, sender.id, party)
            if kept is None:
                raise
            to = kept
        if call.module not in GO_ON and self._store_trouble() is not None:
            raise EngineAway(f"the hub's store is away, so this push of {call.module} was not sent; repeat it")
        event = self._event(call, caller, sender, judgement, directory, to.party.id)
        check_third_party(directory, call.module, event.owner, judgement.cdr_token, to.party.id)
        began = self._clock.monotonic()
        reply = await self._outcome(event, call.started + (self._directed_ms + MARGIN_MS) / 1000)
        call.waited += self._clock.monotonic() - began
        if reply.body:
            call.answered_by = to.party.id
        return answered(reply)

    def _event(
        self, call: Call, caller: Caller, sender: Party, judgement: Judgement, directory: Directory, to: PartyId | None
    ) -> Event:
        owner = owner_in_url(call) or judgement.owner
        object_id = call.path[2] if len(call.path) > 2 else judgement.object_id
        if owner is None or object_id is None:
            raise InvalidParameters("$: the object's country_code, party_id and id are needed to tell whose it is")
        check_owner(caller.platform, owner, "the URL or body", directory.spoken_for(caller.platform.id, owner))
        accepted = self._clock.utc()
        return Event(
            id=str(uuid7()),
            module=call.module,
            owner=owner,
            object_id=object_id,
            operation=Operation(call.method),
            path=call.path,
            query=call.query,
            audience=to,
            sender=sender.id,
            sender_role=sender.role,
            platform=caller.platform.id,
            accepted=accepted,
            expires=accepted + self._publish_ms,
            request_id=call.request_id,
            correlation_id=call.correlation_id,
            revision=directory.revision,
            payload=call.body,
            variant=_variant(call, judgement),
            deadline=None if to is None else call.at + self._directed_ms,
            reply_to=None if to is None else self._waiting.reply_to,
            appends=judgement.appends,
            findings=tuple([str(finding) for finding in judgement.findings]) if judgement.findings else (),
            last_updated=judgement.last_updated,
            via="" if to is None else "to" if call.to else "content",
        )

    # --- the log -----------------------------------------------------------------------------------------------------

    async def _publish(self, event: Event) -> None:
        """Durable when it returns. Raises EngineAway: certainly not there, or not known and too late."""
        within = (event.expires + MARGIN_MS - self._clock.utc()) / 1000
        try:
            published = await self._log.publish(event.topic, event.key, encode(event), event.payload, within=within)
        except PublishRefused as error:
            raise EngineAway("the hub's log does not take this push now; nothing was accepted: repeat it") from error
        except LogError as error:
            await self._until(event.expires + MARGIN_MS)
            raise EngineAway("the hub's log did not answer: the push may yet arrive; repeat it or read back") from error
        if published.append_time > event.expires:
            raise EngineAway("the hub's log took this push too late, so it was not accepted: repeat it")

    async def _until(self, moment: int) -> None:
        left = moment - self._clock.utc()
        if left > 0:
            await asyncio.sleep(left / 1000)

    async def _outcome(self, event: Event, until: float) -> Reply:
        """Publish, and wait for the worker's reply; registered first, since it may come before the log's answer."""
        expected = self._waiting.expect(event.id)
        try:
            try:
                await self._publish(event)
            except EngineAway:
                if not expected.done():
                    raise
            reply = await expected.reply(until)
        finally:
            self._waiting.forget(event.id)
        if reply is None:
            raise OutcomeUnknown(
                "no outcome of this push came back in time: it may have arrived; repeat it or read back"
            )
        return reply


def _known(call: Call) -> tuple[Caller, Party, Judgement]:
    if call.caller is None or call.sender is None:
        raise AssertionError("caller and sender are known before a push is routed")
    return call.caller, call.sender, call.judgement


def _variant(call: Call, judgement: Judgement) -> str:
    if call.module != Module.TOKENS:
        return ""
    return (query_value(call.query, "type") or judgement.token_type or DEFAULT_TOKEN_TYPE).upper()


def refuse(judgement: Judgement) -> None:
    """Raise InvalidParameters (2001), naming every path, where a body lacks what is required or has a wrong type."""
    fatal = [str(finding) for finding in judgement.findings if finding.fatal]
    if fatal:
        more = f"; and {len(fatal) - MAX_NAMED} more" if len(fatal) > MAX_NAMED else ""
        raise InvalidParameters("; ".join(fatal[:MAX_NAMED]) + more)


def answered(reply: Reply) -> Response:
    """What the caller of a directed push reads: the recipient's bytes, or an envelope of the hub's."""
    headers: Pairs = tuple((name, reply.headers[name]) for name in PASSED if name in reply.headers)
    if reply.location is not None:
        headers = (*headers, ("Location", reply.location))
    if not reply.body:
        return made(reply.status_code, reply.message, http_status=reply.http_status, headers=headers)
    return Response(reply.http_status, reply.status_code, reply.body, headers)
