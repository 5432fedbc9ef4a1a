"""The sample parties as the hub's operator sees them: out with those of an earlier run, in with an invitation."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from connectors.sample.data import CPO_PARTY, EMSP_PARTY
from connectors.values import PartyId, Role
from hub.cli.calling import CallFailed, OperatorApi, party_path
from hub.cli.listing import listed

_LOOK_S = 0.1
_HERE = ("127.0.0.1", "localhost", "::1")


class SampleParty(NamedTuple):
    """One of the demo's parties: how it is started, and who it is."""

    word: str
    id: PartyId
    role: Role
    holds: str


PARTIES: Final = (
    SampleParty("emsp", EMSP_PARTY, Role.EMSP, "500 tokens"),
    SampleParty("cpo", CPO_PARTY, Role.CPO, "50 locations with 200 EVSEs, 4 tariffs"),
)


class Operator:
    """The operator's side of the demo, over the operator API of its hub."""

    def __init__(self, api: OperatorApi) -> None:
        self._api = api

    async def ready(self) -> None:
        """Wait until the hub is ready, however long it takes."""
        while True:
            try:
                await asyncio.to_thread(self._api.get, "/readyz")
            except CallFailed:
                await asyncio.sleep(_LOOK_S)
            else:
                return

    async def invite(self, party: SampleParty) -> str:
        """An invitation for this party, which a run that was killed may have left registered. Raises CallFailed."""
        return await asyncio.to_thread(self._invite, party)

    async def port(self, party: SampleParty) -> int | None:
        """The port that this party listens on, by the versions URL that it registered with. Raises CallFailed."""
        return await asyncio.to_thread(lambda: urlsplit(self._versions_url(party)).port)

    def _invite(self, party: SampleParty) -> str:
        country_code, party_id = party.id
        for row in listed(self._api, "/api/parties", "parties").rows:
            if row["party"] != str(party.id) or row["removed"]:
                continue
            if row["registered"] and urlsplit(self._versions_url(party)).hostname not in _HERE:
                raise CallFailed(
                    f"{party.id} is registered here with a platform that is no sample party: "
                    "give the demo a folder of its own with HUB_DATA, or leave that out"
                )
            self._api.post(party_path(country_code, party_id, "remove"))
        wanted = {"country_code": country_code, "party_id": party_id, "role": str(party.role)}
        return str(self._api.post("/api/parties/invite", {"parties": [wanted]})["token"])

    def _versions_url(self, party: SampleParty) -> str:
        return str(self._api.get(party_path(*party.id))["platforms"][0]["versions_url"])
