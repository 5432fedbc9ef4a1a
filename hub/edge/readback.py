"""A CDR read back by the Location that the hub gave when it took it into custody (OCPI 2.2.1, 10.2.2).

While the hub holds it, the hub answers with the CDR as it was posted. Once it was delivered its recipient is asked, at
the Location that it gave; where it gave none, the hub answers. What its recipient refused is answered with the refusal.
"""

from __future__ import annotations

import orjson

from connectors.errors import EngineAway, UnknownUrl
from hub.edge.errors import made
from hub.edge.ports import Remembered
from hub.edge.rewriting import Found, Rewriting
from hub.edge.values import Call, Caller, Response
from routing.custody import Held
from routing.directory import Directory
from routing.store.port import CdrKey, CdrRecord, StoreAway

_TOLD = {
    Held.WAITING: "the hub holds this CDR, and has not been able to deliver it yet",
    Held.ATTEMPTING: "the hub holds this CDR, and is delivering it",
    Held.PARKED: "the hub sent this CDR and does not know whether it arrived; its operator has been told",
    Held.GIVEN_UP: "the hub could not deliver this CDR in seven days and gave up; its operator has been told",
    Held.ENDED: "the operator of the hub decided to do nothing more for this CDR: it is not known to have arrived",
}


class ReadBack:
    """Answers where the hub can, else says where it is to be asked."""

    def __init__(self, store: Remembered, rewriting: Rewriting) -> None:
        self._store = store
        self._rewriting = rewriting

    async def read(self, call: Call, caller: Caller, directory: Directory, key: CdrKey) -> Response | Found:
        """Raises UnknownUrl (404), EngineAway (503), and what finding its recipient's Location may."""
        if not any(party.id == key.owner for party in caller.platform.parties):
            raise UnknownUrl("the hub did not make this URL: use Location exactly as it was given")
        try:
            record = await self._store.read_cdr(key)
        except StoreAway as away:
            raise EngineAway("the hub's store is away, so this CDR cannot be read; repeat the call") from away
        if record is None:
            raise UnknownUrl("the hub does not remember this CDR any more")
        call.answered_by = directory.hub
        code = record.status_code
        if code is None:
            return _copy(record, _TOLD.get(record.custody.held) if record.custody is not None else None)
        if not 1000 <= code < 2000:
            call.answered_by = key.recipient
            return Response(record.http_status or 200, code, record.answer, (("Content-Type", "application/json"),))
        if record.location is not None:
            ref = record.location.rstrip("/").rsplit("/", 1)[-1]
            found = await self._rewriting.behind("cdr", ref, caller, directory)
            if found.held is None:
                return found
        return _copy(record, f"{key.recipient} has taken this CDR; it gave no URL to read it back")


def _copy(record: CdrRecord, message: str | None) -> Response:
    return made(1000, message, orjson.Fragment(record.payload))
