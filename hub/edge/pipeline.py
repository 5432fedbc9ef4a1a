"""The way of a call through the edge, stage by stage. Every stage is one function, most of them pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from connectors import headers
from connectors.catalogue import Row
from connectors.errors import (
    NotConnected,
    NotRegistered,
    OcpiError,
    TooManyRequests,
    UnknownReceiver,
    UnknownToken,
    UnknownUrl,
)
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.v2_2_1.judge import judge
from connectors.values import PartyId
from hub.edge import reading
from hub.edge.asking import Asking
from hub.edge.authenticate import Authenticator, check_invitation
from hub.edge.errors import defect, refusal
from hub.edge.getall import GetAll, is_next_page
from hub.edge.limits import Limits
from hub.edge.opening import Opening
from hub.edge.own import Own
from hub.edge.ports import Directories, Probes
from hub.edge.push import Push
from hub.edge.readback import ReadBack
from hub.edge.relay import Relay
from hub.edge.rewriting import Rewriting, is_page
from hub.edge.values import UNKNOWN, Call, Caller, Pairs, Response
from hub.metrics import Metrics
from routing.classify import Way, classify
from routing.clock import Clock
from routing.directory import Directory
from routing.resolve import check_owner, sender

log = structlog.get_logger(__name__)

SMALL: Final = 65_536
"""Answers up to so many bytes are not counted; what is not a GET is done, so its answer is given however long it is."""

T = TypeVar("T")


class Pipeline:
    """Answers calls; `answer` raises nothing. Whoever writes the answer ends the call then with its `leave`.

    `asking` is whom to ask for tokens that nobody knows; None: nobody.
    """

    def __init__(
        self,
        *,
        registry: Directories,
        authenticator: Authenticator,
        own: Own,
        rewriting: Rewriting,
        readback: ReadBack,
        relay: Relay,
        push: Push,
        opening: Opening,
        getall: GetAll,
        asking: Asking | None,
        probing: Probes,
        metrics: Metrics,
        clock: Clock,
        limits: Limits,
        max_body_bytes: int,
    ) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._own = own
        self._rewriting = rewriting
        self._readback = readback
        self._relay = relay
        self._push = push
        self._opening = opening
        self._getall = getall
        self._asking = asking
        self._probing = probing
        self._metrics = metrics
        self._clock = clock
        self._limits = limits
        self._max_body = max_body_bytes

    async def answer(self, call: Call) -> tuple[Response, Pairs]:
        """The response to a call, and the headers that every answer has."""
        try:
            response = await self._answer(call)
            if len(response.body) > SMALL and call.method == "GET":
                call.hold(call.held + len(response.body))
        except OcpiError as error:
            response = refusal(call, error)
            if isinstance(error, TooManyRequests):
                await call.hold_back()
            elif response.http_status >= 500:
                log.warning("call_failed", correlation_id=call.correlation_id, reason=error.message)
        except Exception:
            log.exception("call_broke", correlation_id=call.correlation_id, row=call.row.id if call.row else None)
            response = defect(call)
        self._count(call, response)
        return response, reading.answer_headers(call)

    async def _answer(self, call: Call) -> Response:
        reading.read_ids(call)
        caller = call.caller = await self._authenticator.authenticate(call.headers.get("Authorization"))
        call.use = self._limits.enter(caller.platform.id, call.started)
        reading.read_address(call)
        check_invitation(caller, call.module)
        row = await self._row(call)
        if row.interface is None:
            return await self._configuration(call, row, caller)
        directory = self._registry.directory
        call.answered_by = directory.hub
        routing = headers.read(call.headers)
        call.to = routing.to
        if call.to is None and row.listing and is_next_page(call.query):
            call.to = directory.hub
        way = Way.CALLBACK if is_page(call, row) else classify(row, call.to, directory.hub)
        if way is Way.CALLBACK:
            found = await self._found(lambda known: self._rewriting.resolve(call, row, caller, known), directory)
            claimed = routing.sender or found.sender
            call.sender = sender(caller.platform, row, claimed, directory.spoken_for(caller.platform.id, claimed))
            if found.held is not None:
                told = await self._readback.read(call, caller, directory, found.held)
                if isinstance(told, Response):
                    return told
                found = told
            if row.model:
                await self._read_body(call, row)
            return await self._relay.callback(call, row, found)
        spoken_for = directory.spoken_for(caller.platform.id, routing.sender)
        call.sender = sender(caller.platform, row, routing.sender, spoken_for)
        owner = reading.owner_in_url(call)
        if owner is not None:
            check_owner(caller.platform, owner, "the URL", directory.spoken_for(caller.platform.id, owner))
        if row.model:
            await self._read_body(call, row)
        if way is Way.ALL:
            return await self._getall.answer(call, row, directory)
        if way is Way.BROADCAST:
            return await self._push.broadcast(call, directory)
        attempt = self._relayed if way in (Way.RELAY, Way.OPEN) else self._directed
        return await self._found(lambda known: attempt(call, row, known), directory)

    async def _relayed(self, call: Call, row: Row, directory: Directory) -> Response:
        try:
            to = call.to or await self._opening.find(call, row, directory)
        except UnknownToken:
            if self._asking is None:
                raise
            return await self._asking.everyone(call, row, directory)
        try:
            response = await self._relay.relay(call, row, directory, to)
        except NotConnected:
            self._away(directory, to)
            raise
        if row.method != "GET" and 1000 <= response.status_code < 2000:
            await self._opening.passed(call, row, to, response)
        return response

    async def _directed(self, call: Call, row: Row, directory: Directory) -> Response:
        to = call.to or call.judgement.cdr_token or await self._opening.find(call, row, directory)
        try:
            return await self._push.directed(call, directory, to)
        except NotConnected:
            self._away(directory, to)
            raise

    def _away(self, directory: Directory, to: PartyId) -> None:
        """Whoever is refused because its receiver is OFFLINE has it asked whether it is back."""
        for hosted in directory.hosted(to):
            self._probing.away(hosted.platform)

    async def _row(self, call: Call) -> Row:
        if call.interface is None or CATALOGUE.serves(call.module):
            return reading.read_row(call, CATALOGUE)

        async def read(directory: Directory) -> Row:
            return reading.read_custom(call, directory)

        return await self._found(read, self._registry.directory)

    async def _found(self, attempt: Callable[[Directory], Awaitable[T]], directory: Directory) -> T:
        """What `attempt` gives for the directory, or for a newer one where it did not find somebody in this one.

        Whoever has just registered through another edge is known there, and may not be here yet.
        """
        try:
            return await attempt(directory)
        except (UnknownReceiver, UnknownToken, UnknownUrl, NotRegistered):
            newer = await self._registry.newer(directory)
            if newer is None:
                raise
            return await attempt(newer)

    # --- stages ------------------------------------------------------------------------------------------------------

    async def _configuration(self, call: Call, row: Row, caller: Caller) -> Response:
        if row.model:
            call.body = await call.read(self._max_body)
        return await self._own.answer(call, caller)

    async def _read_body(self, call: Call, row: Row) -> None:
        call.body = await call.read(self._max_body)
        judgement = judge(row, dict(call.params), reading.query_value(call.query, "type"), call.body)
        call.judgement = judgement
        if judgement.findings:
            fatal = sum(finding.fatal for finding in judgement.findings)
            self._metrics.findings(row.module, fatal, len(judgement.findings) - fatal)

    def _count(self, call: Call, response: Response) -> None:
        whole = self._clock.monotonic() - call.started
        route = call.row.id if call.row is not None else UNKNOWN
        self._metrics.call(
            call.module, call.method, route, response.http_status, response.status_code, whole, whole - call.waited
        )
