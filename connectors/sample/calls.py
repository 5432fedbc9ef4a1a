"""The calls that a sample platform makes: headers, credentials and the URLs of the peer's endpoints."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from connectors.sample import wire
from connectors.sample.client import SampleAnswer, SampleClient
from connectors.sample.connection import Connection, Peer
from connectors.sample.facts import facts
from connectors.sample.inbound import RECEIVER, SENDER
from connectors.sample.record import Call
from connectors.values import InterfaceRole, PartyId, Role

_SENDS: Mapping[tuple[str, InterfaceRole], Role] = {
    (module, interface): role
    for role, pairs in {
        Role.CPO: (("locations", RECEIVER), ("tariffs", RECEIVER), ("sessions", RECEIVER), ("cdrs", RECEIVER),
                   ("tokens", SENDER), ("commands", SENDER), ("chargingprofiles", SENDER)),
        Role.EMSP: (("locations", SENDER), ("tariffs", SENDER), ("sessions", SENDER), ("cdrs", SENDER),
                    ("tokens", RECEIVER), ("commands", RECEIVER), ("chargingprofiles", RECEIVER)),
    }.items()
    for module, interface in pairs
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SampleParty:
    """A party that a platform hosts; roles CPO and EMSP are served."""

    id: PartyId
    role: Role
    name: str = "Sample party"


class Calls:
    """The calling half of a platform. `raw` sends credentials without Base64; `on_call` hears of each call.

    `name` is the host by which others reach it, as it stands in its URLs.
    """

    def __init__(
        self,
        parties: Iterable[SampleParty],
        *,
        name: str = "127.0.0.1",
        port: int = 0,
        raw: bool = False,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        self.parties = tuple(parties)
        self.raw = raw
        self.on_call = on_call
        self.connection = Connection(self._document, self._ask)
        self.name = name
        self.port = port
        self._client: SampleClient | None = None

    # --- what it is --------------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        return f"http://{self.name}:{self.port}"

    @property
    def versions_url(self) -> str:
        """What is given to the other side, with a credential of `invite`."""
        return f"{self.origin}/ocpi/versions"

    @property
    def peer(self) -> Peer | None:
        """The platform that this one is registered with."""
        return self.connection.peer

    def party(self, role: Role) -> PartyId:
        """The first own party of this role. Raises LookupError."""
        for party in self.parties:
            if party.role is role:
                return party.id
        raise LookupError(f"this platform hosts no {role}")

    def endpoint_url(self, module: str, interface: InterfaceRole) -> str:
        """The URL of an own endpoint, without a trailing slash."""
        return f"{self.origin}/ocpi/{wire.VERSION}/{interface.lower()}/{module}"

    def response_url(self, module: str, command: str = "") -> str:
        """A fresh URL for the result of a command, or of a charging profile call when `command` is empty."""
        return f"{self.endpoint_url(module, SENDER)}/{command or 'result'}/{uuid.uuid4().hex}"

    # --- registration ------------------------------------------------------------------------------------------------

    def invite(self) -> str:
        """A credential (OCPI's TOKEN_A) with which another platform may register at `versions_url`."""
        credential = wire.new_credential()
        self.connection.invitations.append(credential)
        return credential

    async def register(self, versions_url: str, credential: str) -> Peer:
        """Register at another platform with its TOKEN_A. Raises RegistrationRefused."""
        return await self.connection.register(versions_url, credential)

    async def rotate(self) -> Peer:
        """PUT credentials: both sides get new ones. Raises RegistrationRefused."""
        return await self.connection.rotate()

    async def unregister(self) -> None:
        """DELETE credentials. Raises RegistrationRefused."""
        await self.connection.unregister()

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        module: str,
        interface: InterfaceRole,
        *segments: str,
        to: PartyId | None = None,
        sender: PartyId | None = None,
        body: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        leave_out: Collection[str] = (),
        timeout: float = 35.0,
    ) -> SampleAnswer:
        """Call the peer's endpoint of a module, `segments` percent-encoded behind its URL.

        `sender` defaults to the own party whose role makes this call; `body` is sent as it is when bytes, else as
        JSON; `headers` go over the usual ones; `leave_out` names headers not to send; `timeout` is in seconds.
        Raises NoAnswer, and LookupError when the peer offers no such endpoint.
        """
        if self.peer is None:
            raise LookupError("this platform is not registered anywhere")
        base = self.peer.endpoints.get((module, interface))
        if base is None:
            raise LookupError(f"the peer offers no {interface} endpoint of {module}")
        url = "/".join((base.rstrip("/"), *(quote(segment, safe="") for segment in segments))) if segments else base
        if query:
            url += f"?{urlencode(query, quote_via=quote)}"
        sender = sender or self._speaker(module, interface)
        return await self.call_url(
            method, url, to=to, sender=sender, body=body, headers=headers, leave_out=leave_out, timeout=timeout,
            name=(module, interface),
        )  # fmt: skip

    async def call_url(
        self,
        method: str,
        url: str,
        *,
        to: PartyId | None = None,
        sender: PartyId | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        leave_out: Collection[str] = (),
        timeout: float = 35.0,
        name: tuple[str, str] = ("", ""),
        credential: str | None = None,
    ) -> SampleAnswer:
        """Call any URL as a functional call: a response_url, a Link, a Location. `credential` as of the peer.

        `name` is what `on_call` hears as module and interface. Raises NoAnswer.
        """
        if self._client is None:
            raise LookupError("this platform was not started")
        sender = sender or self.parties[0].id
        secret = credential if credential is not None else (self.peer.credential if self.peer else "")
        outgoing = self._headers(secret, to, sender, headers or {}, frozenset(name.lower() for name in leave_out))
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        began = time.perf_counter()
        answer: SampleAnswer | None = None
        try:
            answer = await self._client.request(method, url, outgoing, content, timeout)
            return answer
        finally:
            if self.on_call is not None:
                self.on_call(
                    Call(
                        direction="out",
                        sender=str(sender),
                        to=str(to or ""),
                        module=name[0],
                        interface=name[1],
                        method=method,
                        path="/" + url.partition("//")[2].partition("/")[2],
                        http_status=answer.http_status if answer else None,
                        ocpi_status=answer.status_code if answer else None,
                        ms=round((time.perf_counter() - began) * 1000, 2),
                        facts=facts(name[0], method, url, body, answer.data if answer else None),
                    )
                )

    async def _ask(self, method: str, url: str, credential: str, body: object) -> SampleAnswer:
        return await self.call_url(
            method,
            url,
            body=body,
            credential=credential,
            name=("credentials" if url.rstrip("/").endswith("credentials") else "versions", ""),
            leave_out=(wire.TO_COUNTRY, wire.TO_PARTY, wire.FROM_COUNTRY, wire.FROM_PARTY),
            timeout=20.0,
        )

    def _headers(
        self, credential: str, to: PartyId | None, sender: PartyId, over: Mapping[str, str], leave_out: frozenset[str]
    ) -> dict[str, str]:
        headers = {
            "Authorization": wire.present(credential, raw=self.raw),
            "Content-Type": "application/json",
            wire.REQUEST_ID: str(uuid.uuid4()),
            wire.CORRELATION_ID: str(uuid.uuid4()),
            wire.FROM_COUNTRY: sender.country_code,
            wire.FROM_PARTY: sender.party_id,
        }
        if to is not None:
            headers[wire.TO_COUNTRY], headers[wire.TO_PARTY] = to
        replaced = leave_out | {name.lower() for name in over}
        return {name: value for name, value in headers.items() if name.lower() not in replaced} | dict(over)

    def _speaker(self, module: str, interface: InterfaceRole) -> PartyId:
        role = _SENDS.get((module, interface))
        return next((party.id for party in self.parties if party.role is role), self.parties[0].id)

    def _document(self, credential: str) -> dict[str, Any]:
        roles = [
            {
                "role": party.role.value,
                "country_code": party.id.country_code,
                "party_id": party.id.party_id,
                "business_details": {"name": party.name},
            }
            for party in self.parties
        ]
        return {"token": credential, "url": self.versions_url, "roles": roles}
