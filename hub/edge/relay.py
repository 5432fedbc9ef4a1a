"""Relays: what only makes sense now, and whose answer is the other party's. One attempt, a deadline, never queued.

One more attempt if the connection was refused; asynchronous results again and again while no byte of them was sent,
until the deadline (DESIGN, delivery).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from uuid_utils import uuid7

from connectors import headers
from connectors.authorization import told_in
from connectors.catalogue import Row
from connectors.client.client import Answer
from connectors.errors import NotConnected, OcpiError, OutcomeUnknown
from connectors.values import PartyId
from hub.edge import deadlines
from hub.edge.ports import Directories, Outbound, Signs
from hub.edge.rewriting import Found, Rewriting, carries_response_url
from hub.edge.undelivered import Undelivered
from hub.edge.values import Call, Caller, Pairs, Response
from hub.settings import Settings
from routing.breaker import Breakers
from routing.clock import Clock
from routing.deadletters import Attempted, attempted
from routing.directory import Directory, Hosted, Party
from routing.exchanges import Exchange, Exchanges
from routing.outbound import Answered, accept, headers_of, limited, target
from routing.rates import Rates
from routing.repeat import may_repeat, saw
from routing.resolve import check_owner, recipient
from routing.width import TOO_MUCH

PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between the attempts of an asynchronous result; the last one goes on."""


@dataclass(slots=True)
class Forward:
    """One request on its way to one recipient, found by `via`. `patient`: tried again while no byte was sent."""

    to: Hosted
    sender: PartyId
    url: str
    body: bytes | None
    forwarded_id: str
    via: str
    patient: bool = False
    attempts: int = 0
    tried: tuple[tuple[int, str, int], ...] = ()


class Relay:
    """Passes calls to their recipients and the recipients' answers back."""

    def __init__(
        self,
        settings: Settings,
        registry: Directories,
        client: Outbound,
        rewriting: Rewriting,
        exchanges: Exchanges,
        signs: Signs,
        clock: Clock,
        *,
        undelivered: Undelivered,
        rates: Rates | None = None,
        breakers: Breakers | None = None,
        strained: Callable[[str, float], None] = lambda platform, begun: None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._client = client
        self._rewriting = rewriting
        self._exchanges = exchanges
        self._signs = signs
        self._undelivered = undelivered
        self._clock = clock
        self._rates = rates or Rates(lambda platform: None, lambda: 1, clock.monotonic)
        self._breakers = breakers or Breakers(clock.monotonic)
        self._strained = strained
        self._bodies = settings.archive_bodies
        self._deadlines: dict[str, float] = {}

    async def relay(self, call: Call, row: Row, directory: Directory, party: PartyId) -> Response:
        """The answer of `party`. Raises InvalidParameters (2001) and the hub's own 4xxx."""
        caller, sender = _known(call)
        if row.interface is None:
            raise AssertionError("a relay has an interface")
        to = recipient(directory, row.module, row.interface, sender.id, party)
        _check_token(call, caller, directory)
        body, query = call.body, call.query
        if carries_response_url(row):
            body, query = await self._rewriting.response_url(call, row, caller, sender.id, to)
        if row.listing and not row.custom:
            query = limited(to.platform, query)
        url = target(to.platform, row.module, row.interface, call.path, query)
        via = "to" if call.to else "content"
        return await self._pass(call, row, Forward(to, sender.id, url, body if row.model else None, str(uuid7()), via))

    async def callback(self, call: Call, row: Row, found: Found) -> Response:
        """The answer of whoever is behind a URL that the hub made: of a result, a CDR by its Location, a next page."""
        _, sender = _known(call)
        result = bool(row.model)
        body = call.body if result else None
        forward = Forward(found.to, sender.id, found.url, body, str(uuid7()), "url", patient=result)
        return await self._pass(call, row, forward)

    # --- on the wire -------------------------------------------------------------------------------------------------

    async def _pass(self, call: Call, row: Row, forward: Forward) -> Response:
        outcome, http_status, status_code, answer = "the hub failed", 0, 0, b""
        try:
            answered = accept(await self._send(call, row, forward), forward.to)
            passed = _passed(answered)
            if row.listing:
                caller, sender = _known(call)
                passed += await self._rewriting.paging(
                    row, caller, sender.id, forward.to, forward.url, answered.headers
                )
        except OcpiError as error:
            outcome, status_code = error.message, error.status_code
            if forward.patient and isinstance(error, NotConnected | OutcomeUnknown):
                await self._keep(call, row, forward, error)
            raise
        else:
            outcome, http_status, status_code = "answered", answered.http_status, answered.status_code
            call.answered_by, answer = forward.to.party.id, answered.body
            return Response(http_status, status_code, answered.body, passed)
        finally:
            whole = (self._clock.monotonic() - call.started) * 1000
            sent, answer = self._kept(call, forward, answer) if self._bodies else (b"", b"")
            self._exchanges.note(
                Exchange(
                    call.at, row.id, row.module, row.method, () if row.callback else call.path, forward.sender,
                    forward.to.party.id, call.request_id, call.correlation_id, forward.forwarded_id, forward.attempts,
                    http_status, status_code, whole, whole - call.waited * 1000, outcome, forward.via,
                    forward.tried, sent, answer,
                )
            )  # fmt: skip

    async def _keep(self, call: Call, row: Row, forward: Forward, error: OcpiError) -> None:
        """A result that was not delivered, or of which nobody knows, is kept for a look."""
        attempts = [Attempted(at, 0, NotConnected.status_code, words, ms) for at, words, ms in forward.tried]
        begun, ended = self._begun(call, forward), self._clock.utc()
        attempts.append(attempted(begun, error, ended))
        secrets = (call.headers.get("Authorization"), self._registry.authorization_for(forward.to.platform))
        await self._undelivered.keep(
            call, row, forward.sender, forward.to, error, attempts=attempts, secrets=secrets
        )  # fmt: skip

    @staticmethod
    def _begun(call: Call, forward: Forward) -> int:
        """When the last attempt was begun, no earlier than the one before it ended (UTC ms)."""
        if not forward.tried:
            return call.at
        at, _, ms = forward.tried[-1]
        return at + ms

    def _kept(self, call: Call, forward: Forward, answer: bytes) -> tuple[bytes, bytes]:
        """The bodies to be kept: none in which the sender's credential stands, or the one that the recipient knows."""
        theirs = self._registry.authorization_for(forward.to.platform)
        sent = call.body if forward.body is not None else b""
        secret = (call.headers.get("Authorization"), theirs)
        kept = [b"" if any(told_in(header, body) for header in secret) else body for body in (sent, answer)]
        return kept[0], kept[1]

    async def _send(self, call: Call, row: Row, forward: Forward) -> Answer:
        until = call.started + self._seconds(row)
        sent = self._headers(call, forward)
        now = began = self._clock.monotonic()
        try:
            if not forward.patient:
                self._breakers.check(forward.to)
            while True:
                if self._rates.limited(forward.to.platform.id):
                    now = await self._turn(forward, until)
                forward.attempts += 1
                try:
                    answer = await self._client.send(row.method, forward.url, sent, forward.body, within=until - now)
                    self._signs.alive(forward.to.platform)
                    if answer.http_status in TOO_MUCH:
                        self._strained(forward.to.platform.id, now)
                    return answer
                except OutcomeUnknown as error:
                    self._missed(forward, error, now)
                    raise
                except NotConnected as error:
                    self._missed(forward, error, now)
                    at, ms = call.at + int((now - call.started) * 1000), int((self._clock.monotonic() - now) * 1000)
                    if not await self._once_more(forward, row, error, until):
                        raise
                    forward.tried += ((at, error.message, ms),)
                now = self._clock.monotonic()
        finally:
            call.waited += self._clock.monotonic() - began

    def _refused_again(self, forward: Forward, module: str) -> bool:
        return self._registry.directory.policies.terms(forward.to.party.id, module).refused_again

    def _missed(self, forward: Forward, error: NotConnected | OutcomeUnknown, begun: float) -> None:
        self._signs.failed(forward.to.platform)
        self._breakers.told(forward.to.platform, error, begun)
        if error.late:
            self._strained(forward.to.platform.id, begun)

    async def _turn(self, forward: Forward, until: float) -> float:
        """Wait for the recipient's rate. Raises NotConnected where that leaves no time to connect."""
        left = until - self._settings.connect_seconds - self._clock.monotonic()
        await self._rates.turn(forward.to.platform.id, asyncio.get_running_loop().time() + left)
        return self._clock.monotonic()

    async def _once_more(self, forward: Forward, row: Row, error: NotConnected, until: float) -> bool:
        """Whether to try again; a pause before it where the recipient has been tried at once already."""
        if not may_repeat(row.method, row.module, saw(error)):
            return False
        if not forward.patient:
            return error.refused and forward.attempts == 1 and self._refused_again(forward, row.module)
        pause = PAUSES[min(forward.attempts, len(PAUSES)) - 1]
        if self._clock.monotonic() + pause >= until:
            return False
        await asyncio.sleep(pause)
        return True

    def _seconds(self, row: Row) -> float:
        found = self._deadlines.get(row.id)
        if found is None:
            found = self._deadlines[row.id] = deadlines.seconds(row, self._settings)
        return found

    def _headers(self, call: Call, forward: Forward) -> dict[str, str]:
        sent = headers.write(forward.to.party.id, forward.sender, forward.forwarded_id, call.correlation_id)
        sent["Authorization"] = self._registry.authorization_for(forward.to.platform)
        sent.update(headers_of(forward.to.platform))
        if forward.body is not None:
            sent["Content-Type"] = call.headers.get("Content-Type") or "application/json"
        return sent


def _known(call: Call) -> tuple[Caller, Party]:
    if call.caller is None or call.sender is None:
        raise AssertionError("caller and sender are known before a call is relayed")
    return call.caller, call.sender


def _check_token(call: Call, caller: Caller, directory: Directory) -> None:
    """A Token inside a command is one of the sending platform's (StartSession and ReserveNow, 13.3)."""
    if call.judgement.token is not None:
        token = call.judgement.token
        check_owner(caller.platform, token, "$.token", directory.spoken_for(caller.platform.id, token))


def _passed(answered: Answered) -> Pairs:
    kind = answered.headers.get("Content-Type") or "application/json"
    retry = answered.headers.get("Retry-After")
    if retry is None:
        return (("Content-Type", kind),)
    return (("Content-Type", kind), ("Retry-After", retry))
