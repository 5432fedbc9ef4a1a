"""The operator's API for delivery policies: by which terms parties are sent what is for them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connectors.values import PartyId
from hub.onboarding.desk import told
from hub.operator import shapes
from hub.operator.answers import answer, failure
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.pages import PageQuery, cut, page
from hub.operator.requests import BadRequest, Nothing, PolicyQuery, PutPolicy, party_or_any
from hub.registry import Registry
from routing.agreements import ANY
from routing.policies import NAMES, Policies, Policy, Terms
from routing.topics import EVENT_TOPICS

MODULES = tuple(topic.removeprefix("ocpi.") for topic in EVENT_TOPICS)


class PoliciesApi:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def operations(self) -> Operations:
        """All of this part."""
        path, shown = "/api/policies", shapes.PolicyShown
        return (
            Operation("GET", path, self._list, Nothing, PageQuery, shapes.PolicyPage),
            Operation("PUT", path, self._put, PutPolicy, Nothing, shown, also=(409,)),
            Operation("DELETE", path, self._delete, Nothing, PolicyQuery, shapes.PolicyRemoved, also=(404, 409)),
        )

    async def _list(self, asked: Asked[Nothing, PageQuery]) -> web.Response:
        """Every delivery policy, and what holds where none says anything; the filter looks at party and module."""
        query, policies = asked.query, self._registry.directory.policies
        rows = [shown(one) for one in policies.all if query.filter.casefold() in one.id.casefold()]
        default = terms_shown(policies.default)
        return page(asked.request, "policies", cut(rows, query), len(rows), query, default=default)

    async def _put(self, asked: Asked[PutPolicy, Nothing]) -> web.Response:
        """Set the delivery policy of a party, a module, both, or the hub, in place of the one that was there."""
        body = asked.body
        try:
            policy = Policy.of(party_or_any(body.party), body.module, created=self._registry.now(), **body.terms())
        except ValueError as wrong:
            raise BadRequest(str(wrong)) from None
        with told():
            await self._registry.set_policy(policy)
        return answer(shown(policy))

    async def _delete(self, asked: Asked[Nothing, PolicyQuery]) -> web.Response:
        """Take back the delivery policy of exactly this party and module."""
        id = Policy(party_or_any(asked.query.party), asked.query.module.strip().lower()).id
        with told():
            gone = await self._registry.unset_policy(id)
        if not gone:
            return failure(404, f"there is no policy {id}; `ocpi-hub policy list` shows all")
        return answer({"removed": id})


def shown(policy: Policy) -> dict[str, Any]:
    """A policy as the operator sees it; null where it does not set a term."""
    scope = {"id": policy.id, "party": str(policy.party or ANY), "module": policy.module or None}
    return scope | {name: getattr(policy, name) for name in NAMES} | {"created": policy.created}


def terms_shown(terms: Terms) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in NAMES} | {"policies": list(terms.policies)}


def of_party(policies: Policies, party: PartyId) -> list[dict[str, Any]]:
    """What holds for a party, module by module."""
    return [{"module": module} | terms_shown(policies.terms(party, module)) for module in MODULES]
