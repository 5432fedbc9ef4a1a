"""What the hub answers itself: versions and version details, credentials, hubclientinfo (OCPI 2.2.1, 6, 7 and 14)."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from connectors.answers import ABSENT
from connectors.authorization import candidates, digest
from connectors.catalogue import Catalogue
from connectors.errors import HubDefect
from connectors.v2_2_1.catalogue import CATALOGUE, VERSIONS
from connectors.v2_2_1.urls import Target, path
from connectors.values import InterfaceRole, Module
from hub.edge.errors import made
from hub.edge.ports import Clients, Credentials, Directories
from hub.edge.values import Call, Caller, Response


class Own:
    """The configuration modules. `public_url` is the base of every URL that the hub gives out."""

    def __init__(self, public_url: str, registry: Directories, onboarding: Credentials, clients: Clients) -> None:
        self._public_url = public_url
        self._registry = registry
        self._onboarding = onboarding
        self._clients = clients
        self._versions = orjson.Fragment(orjson.dumps(versions(public_url, CATALOGUE)))

    async def answer(self, call: Call, caller: Caller) -> Response:
        """Raises what onboarding and the list of clients raise."""
        if call.module == VERSIONS:
            return made(1000, data=self._details() if call.params else self._versions)
        if call.module == Module.HUBCLIENTINFO:
            return await self._clients.answer(call, caller)
        http_status, data = await self._onboarding.handle_credentials(
            call.method, (caller.platform, caller.issued), call.body, caller.form, presented=_presented(call, caller)
        )
        return made(1000, data=ABSENT if data is None else data, http_status=http_status)

    def _details(self) -> dict[str, object]:
        return details(self._public_url, CATALOGUE, self._registry.directory.custom)


def versions(public_url: str, *catalogues: Catalogue) -> list[dict[str, str]]:
    """The versions list (6.1.1)."""
    return [
        {"version": one.version, "url": public_url + path(Target(VERSIONS, None, (one.version,)))} for one in catalogues
    ]


def details(
    public_url: str, catalogue: Catalogue, custom: Mapping[tuple[str, InterfaceRole], str]
) -> dict[str, object]:
    """The version details (6.2.2): every endpoint that the catalogue has, in its order, then those of parties' own.

    The latter are as `Directory.custom` has them. URLs that ids follow end with a slash: there are peers that put an id
    right behind what was advertised, and who adds a slash of its own adds one that counts for nothing.
    """
    endpoints: list[tuple[str, str, InterfaceRole | None]] = [
        (module, module, interface) for module, interface in catalogue.endpoints() if module != VERSIONS
    ]
    # The same URL in both roles: a hub that is connected tells there of those behind it.
    endpoints.append((Module.HUBCLIENTINFO, Module.HUBCLIENTINFO, None))
    roles = {len(endpoints) - 1: InterfaceRole.RECEIVER}
    endpoints += [(identifier, module, interface) for (module, interface), identifier in custom.items()]
    return {
        "version": catalogue.version,
        "endpoints": [
            {
                "identifier": identifier,
                # The role of credentials means nothing; SENDER is what the specification advises.
                "role": str(interface or roles.get(at, InterfaceRole.SENDER)),
                "url": public_url + path(Target(module, interface)) + ("/" if interface else ""),
            }
            for at, (identifier, module, interface) in enumerate(endpoints)
        ],
    }


def _presented(call: Call, caller: Caller) -> str:
    """The credential of this call in clear: read from the header again, so that nothing keeps it meanwhile."""
    for candidate in candidates(call.headers.get("Authorization")):
        if digest(candidate.credential) == caller.issued.digest:
            return candidate.credential
    raise HubDefect("the credential of this call is not in its header any more")
