"""The OCPI connection of a sample platform: the credentials handshake from both ends (OCPI 2.2.1, chapter 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import MethodNotAllowed, NoMatchingEndpoints, OcpiError, UnsupportedVersion, UnusableApi
from connectors.sample import wire
from connectors.sample.client import NoAnswer, SampleAnswer
from connectors.sample.wire import Reply, object_of
from connectors.values import PartyId

Ask = Callable[[str, str, str, object], Awaitable[SampleAnswer]]
"""method, URL, the credential to present, the body (None without one): a configuration call. Raises NoAnswer."""


class RegistrationRefused(Exception):
    """A handshake failed; the sentence names the step, the URL and what came.

    `answer` is what came, if anything; `tell` is what the other side is told where that began the handshake.
    """

    def __init__(
        self, message: str, answer: SampleAnswer | None = None, *, tell: type[OcpiError] = UnusableApi
    ) -> None:
        super().__init__(message)
        self.answer = answer
        self.tell = tell


@dataclass(frozen=True, slots=True)
class Peer:
    """The other platform: its versions URL, the credential to present there, its endpoints and its roles."""

    versions_url: str
    credential: str
    endpoints: dict[tuple[str, str], str]
    roles: tuple[dict[str, Any], ...] = ()

    @property
    def parties(self) -> tuple[tuple[str, PartyId], ...]:
        """(role, party) of each of its credentials roles."""
        return tuple((role["role"], PartyId.of(role["country_code"], role["party_id"])) for role in self.roles)

    @property
    def hub(self) -> PartyId | None:
        """The hub party, None where the peer is no hub."""
        return next((party for role, party in self.parties if role == "HUB"), None)


@dataclass(slots=True)
class Connection:
    """Which credentials are accepted, and who is on the other end.

    `document` makes the own Credentials object with a credential (OCPI 2.2.1, 7.3.1), `ask` calls the other side.
    `invitations` are OCPI's TOKEN_A that this platform gave out; `issued` are the credentials that work everywhere,
    the newest last: an older one goes when a newer is first used, an invitation when what it gave is first used.
    """

    document: Callable[[str], dict[str, Any]]
    ask: Ask
    invitations: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    peer: Peer | None = None
    _met: asyncio.Event = field(default_factory=asyncio.Event)

    async def met(self) -> Peer:
        """The peer, as soon as there is one."""
        while self.peer is None:
            await self._met.wait()
        return self.peer

    def accepts(self, header: str) -> tuple[str, bool] | None:
        """(credential, whether it works everywhere) of an Authorization header; None where it is of nobody."""
        for candidate in wire.candidates(header):
            if candidate in self.issued:
                return candidate, True
            if candidate in self.invitations:
                return candidate, False
        return None

    def used(self, credential: str) -> None:
        """Note that a credential was used on a functional module: what it replaced works no longer."""
        if credential == self.issued[-1]:
            self.issued = [credential]
            self.invitations.clear()

    # --- as the sender of the handshake ------------------------------------------------------------------------------

    async def register(self, versions_url: str, credential: str) -> Peer:
        """Register there with TOKEN_A `credential`. Raises RegistrationRefused."""
        endpoints = await self._endpoints(versions_url, credential)
        return await self._exchange("POST", versions_url, credential, endpoints)

    async def rotate(self) -> Peer:
        """PUT the credentials anew: both sides get new ones. Raises RegistrationRefused."""
        peer = self._registered()
        endpoints = await self._endpoints(peer.versions_url, peer.credential)
        return await self._exchange("PUT", peer.versions_url, peer.credential, endpoints)

    async def unregister(self) -> None:
        """DELETE the credentials, after which neither side may call the other. Raises RegistrationRefused."""
        peer = self._registered()
        url = peer.endpoints["credentials", "SENDER"]
        _must("DELETE credentials", url, await self._try("DELETE", url, peer.credential, None))
        self._forget()

    def _registered(self) -> Peer:
        if self.peer is None:
            raise RegistrationRefused("this platform is not registered anywhere")
        return self.peer

    async def _exchange(
        self, method: str, versions_url: str, credential: str, endpoints: dict[tuple[str, str], str]
    ) -> Peer:
        url = endpoints["credentials", "SENDER"]
        ours = wire.new_credential()
        before = list(self.issued)
        self.issued.append(ours)  # the peer calls back with it before it answers
        try:
            answer = await self._try(method, url, credential, self.document(ours))
            data = object_of(_must(f"{method} credentials", url, answer).data)
            theirs, their_url = str(data["token"]), str(data["url"])
        except KeyError as error:
            self.issued = before
            raise RegistrationRefused(f"{method} credentials at {url}: the answer's data has no {error}") from error
        except RegistrationRefused:
            self.issued = before
            raise
        return self._meet(Peer(their_url, theirs, endpoints, tuple(data.get("roles", ()))))

    async def _endpoints(self, versions_url: str, credential: str) -> dict[tuple[str, str], str]:
        answer = _must("GET versions", versions_url, await self._try("GET", versions_url, credential, None))
        url = next((v["url"] for v in answer.data or () if v.get("version") == wire.VERSION), None)
        if url is None:
            sentence = f"GET versions at {versions_url}: version {wire.VERSION} is not offered"
            raise RegistrationRefused(sentence, answer, tell=UnsupportedVersion)
        details = _must("GET version details", url, await self._try("GET", url, credential, None))
        listed = object_of(details.data).get("endpoints", ())
        endpoints = {_endpoint(item): item["url"] for item in listed}
        if ("credentials", "SENDER") not in endpoints:
            sentence = f"GET version details at {url}: there is no credentials endpoint"
            raise RegistrationRefused(sentence, details, tell=NoMatchingEndpoints)
        return endpoints

    async def _try(self, method: str, url: str, credential: str, body: object) -> SampleAnswer:
        try:
            return await self.ask(method, url, credential, body)
        except NoAnswer as error:
            raise RegistrationRefused(f"{method} {url}: {error}") from error

    # --- as its receiver ---------------------------------------------------------------------------------------------

    async def serve(self, method: str, credential: str, full: bool, body: Any) -> Reply:
        """Answer a call of the credentials endpoint; `full` says that the credential works everywhere."""
        if method == "GET":
            return Reply(self.document(credential))
        if method == "POST" and full:
            raise MethodNotAllowed("you are registered: use PUT", allowed=("GET", "PUT", "DELETE"))
        if method in ("PUT", "DELETE") and not full:
            raise MethodNotAllowed("you are not registered: use POST", allowed=("GET", "POST"))
        if method == "DELETE":
            self._forget()
            return Reply()
        if method not in ("POST", "PUT"):
            raise MethodNotAllowed(f"{method} is not a method of credentials", allowed=("GET", "POST", "PUT", "DELETE"))
        return await self._admit(object_of(body))

    async def _admit(self, offered: dict[str, Any]) -> Reply:
        try:
            theirs, their_url, roles = str(offered["token"]), str(offered["url"]), tuple(offered["roles"])
        except (KeyError, TypeError) as error:
            raise NoMatchingEndpoints(f"the credentials object has no {error}") from error
        try:
            endpoints = await self._endpoints(their_url, theirs)
        except RegistrationRefused as error:
            raise error.tell(str(error)) from error
        self._meet(Peer(their_url, theirs, endpoints, roles))
        ours = wire.new_credential()
        self.issued.append(ours)
        return Reply(self.document(ours))

    def _meet(self, peer: Peer) -> Peer:
        self.peer = peer
        self._met.set()
        return peer

    def _forget(self) -> None:
        self._met.clear()
        self.peer = None
        self.issued.clear()


def _must(step: str, url: str, answer: SampleAnswer) -> SampleAnswer:
    if answer.status_code is None or not 1000 <= answer.status_code < 2000:
        said = f"HTTP {answer.http_status}, OCPI {answer.status_code}: {answer.message}"
        raise RegistrationRefused(f"{step} at {url} was refused with {said}", answer)
    return answer


def _endpoint(item: dict[str, Any]) -> tuple[str, str]:
    # The role of the credentials endpoint has no meaning, and peers give either.
    module = item["identifier"]
    return module, "SENDER" if module == "credentials" else item["role"]
