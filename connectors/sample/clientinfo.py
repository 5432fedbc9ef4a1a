"""The RECEIVER side of HubClientInfo: what the hub told this platform of other parties (OCPI 2.2.1, 14.2.2)."""

from __future__ import annotations

from connectors.errors import InvalidParameters
from connectors.sample.inbound import RECEIVER, Endpoints, Inbound, NotHere, row
from connectors.sample.objects import Object
from connectors.sample.wire import Reply
from connectors.values import PartyId

_MODULE = "hubclientinfo"
_ONE = "{country_code}/{party_id}"


class ClientInfos:
    """Keeps the newest ClientInfo of each party and role; `all` is by (party, role)."""

    def __init__(self) -> None:
        self.all: dict[tuple[PartyId, str], Object] = {}

    def endpoints(self) -> Endpoints:
        """Its rows, each with what serves it."""
        return [(row(_MODULE, RECEIVER, "GET", _ONE), self._get), (row(_MODULE, RECEIVER, "PUT", _ONE), self._put)]

    def _get(self, call: Inbound) -> Reply:
        owner = call.owner()
        found = [info for (party, _), info in self.all.items() if party == owner]
        if not found:
            raise NotHere(f"nothing was told of {owner}")
        return Reply(found[-1])

    def _put(self, call: Inbound) -> Reply:
        owner, info = call.owner(), call.content()
        lacking = [name for name in ("country_code", "party_id", "role", "status", "last_updated") if name not in info]
        if lacking or PartyId.of(info["country_code"], info["party_id"]) != owner:
            raise InvalidParameters(f"this is no ClientInfo of {owner}; it lacks {', '.join(lacking) or 'nothing'}")
        fresh = (owner, info["role"]) not in self.all
        self.all[(owner, info["role"])] = info
        return Reply(http_status=201 if fresh else 200)
