"""The operator's API for agreements: who may deal with whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from hub.onboarding.desk import told
from hub.operator import requests
from hub.operator.answers import answer, failure
from hub.registry import Registry
from routing.agreements import ANY, Agreement, Effect

PAGE, LARGEST_PAGE = 100, 1000


class AgreementsApi:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def routes(self) -> Iterable[web.RouteDef]:
        """Every path of this part; DELETE names the rule in its query: `one`, `other`, and each `module`."""
        return (
            web.get("/api/agreements", self._list),
            web.put("/api/agreements", self._put),
            web.delete("/api/agreements", self._delete),
        )

    async def _list(self, request: web.Request) -> web.Response:
        query, rules = request.query, self._registry.rules
        offset = requests.number(query.get("offset"), 0, least=0, most=2**31, name="offset")
        limit = requests.number(query.get("limit"), PAGE, least=1, most=LARGEST_PAGE, name="limit")
        wanted = query.get("filter", "").casefold()
        rows = [shown(one) for one in rules.agreements if wanted in f"{one.id} {one.effect}".casefold()]
        return answer(
            {
                "agreements": rows[offset : offset + limit],
                "total": len(rows),
                "offset": offset,
                "limit": limit,
                "default": rules.default,
            }
        )

    async def _put(self, request: web.Request) -> web.Response:
        agreement = requests.read(requests.PutAgreement, await request.read()).agreement(self._registry.now())
        with told():
            await self._registry.agree(agreement)
        return answer(shown(agreement))

    async def _delete(self, request: web.Request) -> web.Response:
        query = request.query
        one, other = (requests.party_or_any(query.get(name, ANY)) for name in ("one", "other"))
        id = Agreement.of(Effect.ALLOW, one, other, query.getall("module", ())).id
        with told():
            gone = await self._registry.end_agreement(id)
        if not gone:
            return failure(404, f"there is no agreement {id}; `ocpi-hub agreement list` shows all")
        return answer({"removed": id})


def shown(agreement: Agreement) -> dict[str, Any]:
    """An agreement as the operator sees it."""
    return {
        "id": agreement.id,
        "effect": agreement.effect,
        "one": str(agreement.one or ANY),
        "other": str(agreement.other or ANY),
        "modules": agreement.modules,
        "created": agreement.created,
    }
