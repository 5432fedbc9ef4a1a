"""The operator's search in the archive: which exchanges there were, and one whole."""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from hub.operator import shapes
from hub.operator.answers import answer, failure
from hub.operator.asked_for import moment_of, party_of
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.pages import LARGEST
from hub.operator.requests import BadRequest, Nothing
from hub.operator.views import Json, when
from routing.archive import reading
from routing.archive.reading import Attempt, Exchange, Recipient
from routing.archive.terms import Wanted
from routing.store.archive import Body
from routing.store.port import Store


class ExchangeQuery(BaseModel):
    """The query of the search; what is left out does not matter."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    correlation_id: Annotated[str, Field(max_length=200, description="X-Correlation-ID, as it was written")] = ""
    request_id: Annotated[
        str, Field(max_length=200, description="X-Request-ID of the call, or of a relay's way to its recipient")
    ] = ""
    party: Annotated[str, Field(description="Sender, owner or recipient, as COUNTRY-PARTY")] = ""
    module: Annotated[str, Field(max_length=36, description="OCPI's module identifier")] = ""
    object: Annotated[str, Field(max_length=200, description="Id of the object; the module has to be said too")] = ""
    outcome: Annotated[
        str, Field(max_length=40, description="How it ended for somebody: refused, not_sent, ..., or a status code")
    ] = ""
    since: Annotated[str, Field(description="From this moment on, ISO 8601")] = ""
    until: Annotated[str, Field(description="Before this moment, ISO 8601")] = ""
    limit: Annotated[int, Field(ge=1, le=LARGEST, description="How many at most, the newest first")] = 100
    page: Annotated[str, Field(pattern=r"^[0-9]{0,19}$", description="`next` of the former page")] = ""


class Exchanges:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, store: Store) -> None:
        self._archive = store.archive

    def operations(self) -> Operations:
        """All of this part."""
        one = "/api/exchanges/{exchange}"
        return (
            Operation("GET", "/api/exchanges", self._find, Nothing, ExchangeQuery, shapes.ExchangePage),
            Operation("GET", one, self._show, Nothing, Nothing, shapes.ExchangeShown, also=(404,)),
        )

    async def _find(self, asked: Asked[Nothing, ExchangeQuery]) -> web.Response:
        """Exchanges by what they were about, the newest first."""
        query = asked.query
        found = await self._archive.find(
            wanted(query).terms(),
            since=moment_of("since", query.since),
            until=moment_of("until", query.until),
            before=int(query.page) if query.page else None,
            limit=query.limit,
        )
        following = str(found[-1].rank) if len(found) >= query.limit else None
        headers = {}
        if following is not None:
            headers["Link"] = f'<{asked.request.rel_url.update_query(page=following)}>; rel="next"'
        rows = [row(reading.read(kept)) for kept in found]
        return answer({"exchanges": rows, "next": following}, headers=headers)

    async def _show(self, asked: Asked[Nothing, Nothing]) -> web.Response:
        """One exchange whole: what was sent, what was decided and why, each recipient and attempt."""
        id = asked.named("exchange")
        kept = await self._archive.read(id)
        if kept is None:
            return failure(404, f"there is no exchange {id[:100]} in the archive; exchanges find tells which there are")
        return answer(shown(reading.read(kept), [_body(body) for body in await self._archive.read_bodies(id)]))


def wanted(query: ExchangeQuery) -> Wanted:
    """What the query asks for. Raises BadRequest."""
    if query.object and not query.module:
        raise BadRequest("object of the query: say its module too, since modules have ids of their own")
    party = party_of(query.party)
    return Wanted(
        query.correlation_id, query.request_id, query.module, query.object, query.outcome.strip().lower(), party
    )


def row(one: Exchange) -> Json:
    """What a list tells of it."""
    return {
        "id": one.id,
        "at": when(one.at),
        "way": one.way,
        "module": one.module,
        "method": one.method,
        "object": one.object,
        "from": one.sender,
        "to": one.to,
        "request_id": one.request_id,
        "correlation_id": one.correlation_id,
        "settled": one.settled,
        "outcomes": one.outcomes,
    }


def shown(one: Exchange, bodies: list[Json]) -> Json:
    """All of it."""
    push = one.push or {}
    position = None
    if one.position is not None:
        position = dict(zip(("topic", "partition", "epoch", "offset"), one.position, strict=True))
    return {
        **row(one),
        "path": list(one.path),
        "owner": push.get("owner"),
        "version": push.get("version"),
        "forwarded_id": one.forwarded_id,
        "decided": one.decided(),
        "findings": list(push.get("findings", ())),
        "position": position,
        "appended": when(one.appended) if one.appended is not None else None,
        "bytes": one.bytes,
        "recipients": [_recipient(recipient) for recipient in one.recipients],
        "ms": one.ms,
        "hub_ms": one.hub_ms,
        "bodies": bodies,
    }


def _recipient(one: Recipient) -> Json:
    return {
        "party": one.party,
        "outcome": one.outcome,
        "detail": one.detail,
        "attempts": [_attempt(attempt) for attempt in one.attempts],
    }


def _attempt(one: Attempt) -> Json:
    return {
        "at": when(one.at) if one.at is not None else None,
        "http_status": one.http_status,
        "status_code": one.status_code,
        "reason": one.words,
        "ms": one.ms,
    }


def _body(body: Body) -> Json:
    content = zlib.decompress(body.content)
    try:
        return {"name": body.name, "text": content.decode()}
    except UnicodeDecodeError:
        return {"name": body.name, "base64": b64encode(content).decode()}
