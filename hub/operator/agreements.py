"""The operator's API for agreements: who may deal with whom."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from hub.onboarding.desk import told
from hub.operator import shapes
from hub.operator.answers import answer, failure
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.pages import PageQuery, cut, page
from hub.operator.requests import AgreementQuery, Nothing, PutAgreement, party_or_any
from hub.registry import Registry
from routing.agreements import ANY, Agreement, Effect


class AgreementsApi:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def operations(self) -> Operations:
        """All of this part."""
        path, shown = "/api/agreements", shapes.AgreementShown
        return (
            Operation("GET", path, self._list, Nothing, PageQuery, shapes.AgreementPage),
            Operation("PUT", path, self._put, PutAgreement, Nothing, shown, also=(409,)),
            Operation("DELETE", path, self._delete, Nothing, AgreementQuery, shapes.AgreementRemoved, also=(404, 409)),
        )

    async def _list(self, asked: Asked[Nothing, PageQuery]) -> web.Response:
        """Every agreement; the filter looks at parties, modules and effect."""
        query, rules = asked.query, self._registry.rules
        wanted = query.filter.casefold()
        rows = [shown(one) for one in rules.agreements if wanted in f"{one.id} {one.effect}".casefold()]
        return page(asked.request, "agreements", cut(rows, query), len(rows), query, default=rules.default)

    async def _put(self, asked: Asked[PutAgreement, Nothing]) -> web.Response:
        """Make an agreement, or replace the one of the same parties and modules."""
        agreement = asked.body.agreement(self._registry.now())
        with told():
            await self._registry.agree(agreement)
        return answer(shown(agreement))

    async def _delete(self, asked: Asked[Nothing, AgreementQuery]) -> web.Response:
        """Take back the agreement of these two parties and exactly these modules."""
        query = asked.query
        one, other = party_or_any(query.one), party_or_any(query.other)
        id = Agreement.of(Effect.ALLOW, one, other, query.module).id
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
