"""What the edge asks of the world around it; the concrete ones are the registry, onboarding, sealed URLs and client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from connectors.authorization import Form
from connectors.client.client import Answer
from connectors.values import PartyId
from hub.edge.values import Call, Caller, Response
from hub.sealed import Kind, Rewrite
from routing.directory import Directory, Issued, Platform
from routing.state import ObjectState, StateKey
from routing.store.port import CdrKey, CdrRecord, Selection, StateCount


class Directories(Protocol):
    """The directory as this process sees it (hub/registry)."""

    @property
    def directory(self) -> Directory: ...

    async def lookup(self, digest: bytes) -> tuple[Platform, Issued] | None: ...

    async def newer(self, seen: Directory) -> Directory | None:
        """A directory newer than this one, in which somebody was not found; None where there is none."""

    def authorization_for(self, platform: Platform) -> str: ...

    def trouble(self) -> str | None: ...

    def store_trouble(self) -> str | None: ...


class Credentials(Protocol):
    """The credentials module (hub/onboarding)."""

    async def handle_credentials(
        self, method: str, caller: tuple[Platform, Issued], body: bytes, form: Form, *, presented: str
    ) -> tuple[int, dict[str, Any] | None]: ...

    def first_use(self, platform: Platform, issued: Issued) -> None: ...


class Clients(Protocol):
    """The list of hubclientinfo (hub/clientinfo)."""

    async def answer(self, call: Call, caller: Caller) -> Response: ...


class Signs(Protocol):
    """What is told of platforms as they call, answer and fail (hub/connection)."""

    def alive(self, platform: Platform) -> None: ...

    def failed(self, platform: Platform) -> None: ...


class Probes(Protocol):
    """Whoever asks platforms whether they are there (hub/connection)."""

    def away(self, platform: Platform | None) -> None: ...


class Known(Protocol):
    """What of the store tells the receivers of calls without TO (routing/store)."""

    async def read_states(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]: ...

    async def find_contract(self, contract_id: str, audience: PartyId | None) -> Sequence[PartyId]: ...

    async def put_url(self, ref: str, content: bytes, expires: int) -> None: ...

    async def get_url(self, ref: str, now: int) -> bytes | None: ...


class Remembered(Protocol):
    """What of the store tells of CDRs (routing/store)."""

    async def read_cdr(self, key: CdrKey) -> CdrRecord | None: ...


class Objects(Protocol):
    """What of the store a list of everybody's objects is made of (routing/store)."""

    async def list_states(
        self, wanted: Selection, *, after: StateKey | None = None, skip: int = 0, limit: int
    ) -> Sequence[ObjectState]: ...

    async def count_states(self, wanted: Selection, owner: PartyId) -> StateCount: ...

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]: ...


class Outbound(Protocol):
    """The client (connectors/client)."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        within: float,
        permit: Callable[[], bool] | None = None,
    ) -> Answer: ...


class UrlRewriter(Protocol):
    """Makes URLs of the hub, and finds what is behind them (hub/rewriter)."""

    async def rewrite(self, kind: Kind, base_path: str, rewrite: Rewrite) -> str: ...

    async def resolve(self, kind: Kind, ref: str, caller: str, directory: Directory) -> Rewrite: ...
