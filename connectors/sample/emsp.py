"""What an eMSP serves of its own (OCPI 2.2.1): its tokens, real-time authorisation, and results of what it asked."""

from __future__ import annotations

import secrets

from connectors.sample.cpo import own_page
from connectors.sample.inbound import SENDER, Endpoints, Host, Inbound, not_here, row
from connectors.sample.wire import Reply, object_of


class Emsp:
    """The eMSP's own endpoints; what it RECEIVES of others' objects is in copies."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def endpoints(self) -> Endpoints:
        """Every row that an eMSP serves but the pushed objects."""
        return [
            (row("tokens", SENDER, "GET"), self._list),
            (row("tokens", SENDER, "POST", "{token_uid}/authorize"), self._authorize),
            (row("commands", SENDER, "POST", "{command}/{reference}"), self._result),
            (row("chargingprofiles", SENDER, "POST", "result/{reference}"), self._result),
            (row("chargingprofiles", SENDER, "PUT", "{session_id}"), self._result),
        ]

    def _list(self, call: Inbound) -> Reply:
        return own_page(self._host, call)

    def _authorize(self, call: Inbound) -> Reply:
        uid, type_ = call.params["token_uid"], call.query.get("type", "RFID")
        for owner in self._host.owners(call):
            token = self._host.objects.get("tokens", owner, uid, type_=type_)
            if token is not None:
                break
        else:
            raise not_here("tokens", f"there is no {type_} token {uid}")
        if not token["valid"]:
            return Reply({"allowed": "BLOCKED", "token": token})
        info = {"allowed": "ALLOWED", "token": token, "authorization_reference": secrets.token_hex(8).upper()}
        if location := object_of(call.json):
            info["location"] = location
        return Reply(info)

    def _result(self, call: Inbound) -> Reply:
        call.content()
        return Reply()
