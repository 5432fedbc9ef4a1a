"""What an operation of the operator API is: its route, what it takes and what it tells, declared in one place.

The routes are made of it, bodies and queries are read by it, and the OpenAPI document is written from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from connectors.values import PartyId
from hub.operator import requests
from hub.operator.requests import BadRequest, Nothing

BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked(Generic[BodyT, QueryT]):
    """One request, its body and its query read already."""

    request: web.Request
    body: BodyT
    query: QueryT

    def named(self, placeholder: str) -> str:
        """What stands in the path for it."""
        return self.request.match_info[placeholder]

    @property
    def party(self) -> PartyId:
        """The party in the path. Raises BadRequest."""
        try:
            return PartyId.of(self.named("country_code"), self.named("party_id"))
        except ValueError as wrong:
            raise BadRequest(str(wrong)) from None


@dataclass(frozen=True)
class Operation(Generic[BodyT, QueryT]):
    """`told` is the shape of a good answer, or the media type of one that is no JSON; `status` its HTTP status.

    `handle` has a docstring: it is what the document says of the operation. `also` are HTTP statuses that it may be
    answered with beside those that go without saying. `open`: without the operator key.
    """

    method: str
    path: str
    handle: Callable[[Asked[BodyT, QueryT]], Awaitable[web.Response]]
    body: type[BodyT]
    query: type[QueryT]
    told: type[BaseModel] | str
    status: int = 200
    also: tuple[int, ...] = ()
    open: bool = False

    @property
    def id(self) -> str:
        """Unique among the operations."""
        words = [word.strip("{}") for word in self.path.split("/") if word and word != "api"]
        return "-".join((self.method.lower(), *words))

    @property
    def summary(self) -> str:
        return inspect.getdoc(self.handle) or ""

    def route(self) -> web.RouteDef:
        """Its route; the body is read before the query, whatever is wrong is told in a sentence."""

        async def handler(request: web.Request) -> web.Response:
            body: Any = Nothing() if self.body is Nothing else requests.read(self.body, await request.read())
            # Whoever watches may send a query of its own: it means nothing there.
            query: Any = self.query() if self.open else requests.read_query(self.query, request.query)
            return await self.handle(Asked(request, body, query))

        return web.route(self.method, self.path, handler)


Operations = Sequence[Operation[Any, Any]]
