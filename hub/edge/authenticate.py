"""Which platform calls, by the credential in its Authorization header (OCPI 2.2.1, 4.1.2 and 7.1.1)."""

from __future__ import annotations

from typing import Final

from connectors.authorization import Form, candidates, digest
from connectors.errors import Unauthorized
from connectors.v2_2_1.catalogue import VERSIONS
from connectors.values import Module
from hub.edge.ports import Credentials, Directories, Signs
from hub.edge.values import Caller
from routing.directory import Kind, Status

SIZE: Final = 4096

_REGISTERING: Final = frozenset((VERSIONS, Module.CREDENTIALS))
_SEND = "send `Authorization: Token` and your credential in Base64"


class Authenticator:
    """Remembers which digest a header stood for, and nothing of whether it is good.

    Decoding and hashing are what costs; whether the credential still holds is asked of the registry at every call, so
    neither suspension nor rotation is any later for being cached.
    """

    def __init__(self, registry: Directories, onboarding: Credentials, signs: Signs, *, size: int = SIZE) -> None:
        self._registry = registry
        self._signs = signs
        self._onboarding = onboarding
        self._size = size
        self._digests: dict[str, tuple[bytes, Form]] = {}

    async def authenticate(self, header: str | None) -> Caller:
        """The caller. Raises Unauthorized (401), and EngineAway (503) when the store would have to be asked."""
        if not header:
            raise Unauthorized(f"the Authorization header lacks: {_SEND}")
        known = self._digests.get(header)
        found = await self._registry.lookup(known[0]) if known is not None else None
        caller = Caller(*found, known[1]) if known is not None and found is not None else await self._search(header)
        platform, issued, _ = caller
        if platform.status is Status.SUSPENDED:
            raise Unauthorized("this platform is suspended on the hub; ask its operator")
        if not issued.used and issued.kind is Kind.ACCESS:
            self._onboarding.first_use(platform, issued)
        self._signs.alive(platform)
        return caller

    async def _search(self, header: str) -> Caller:
        self._digests.pop(header, None)
        meant = candidates(header)
        if not meant:
            raise Unauthorized(f"the Authorization header is not `Token` and a credential: {_SEND}")
        # A reading that the snapshot knows needs no look into the store for the other one.
        snapshot = self._registry.directory
        keys = [(digest(candidate.credential), candidate) for candidate in meant]
        for key, candidate in sorted(keys, key=lambda one: snapshot.credential(one[0]) is None):
            found = await self._registry.lookup(key)
            if found is not None:
                if len(self._digests) >= self._size:
                    del self._digests[next(iter(self._digests))]
                self._digests[header] = (key, candidate.form)
                return Caller(*found, candidate.form)
        raise Unauthorized(f"the credential is not one that this hub knows, or it has ended: {_SEND}")


def check_invitation(caller: Caller, module: str) -> None:
    """An invitation (TOKEN_A) opens what registering needs, and nothing else. Raises Unauthorized (401)."""
    if caller.issued.kind is Kind.INVITATION and module not in _REGISTERING:
        raise Unauthorized(
            "this credential is an invitation (TOKEN_A): it is good for versions, version details and credentials "
            "only; POST credentials, then use the credential in the answer"
        )
