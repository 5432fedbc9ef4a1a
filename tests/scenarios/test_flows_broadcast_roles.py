"""Who a broadcast of whom is for, with everybody implementing everything (OCPI 2.2.1, 4.4.2.2)."""

from __future__ import annotations

import asyncio

import pytest

from connectors.sample import Received, SamplePlatform
from connectors.sample.inbound import RECEIVER, Endpoints, Inbound, row
from connectors.sample.wire import Reply
from connectors.values import Role
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, Parties, check

RECEIVERS = {
    Role.CPO: {Role.EMSP, Role.NSP, Role.OTHER},
    Role.EMSP: {Role.CPO},
    Role.NSP: {Role.CPO},
    Role.OTHER: {Role.CPO},
}


def takes_all() -> Endpoints:
    """PUT of locations and tokens, whatever the role."""

    def take(call: Inbound) -> Reply:
        return Reply()

    path = "{country_code}/{party_id}/{id}"
    return [(row(module, RECEIVER, "PUT", path), take) for module in ("locations", "tokens")]


@pytest.mark.parametrize("role", RECEIVERS)
async def test_the_opposite_roles_get_it_and_others_do_not_although_they_could(parties: Parties, role: Role) -> None:
    platforms: dict[Role, list[SamplePlatform]] = {one: [] for one in RECEIVERS}
    for one in RECEIVERS:
        platforms[one] = [await parties.platform(one, more=takes_all()) for _ in range(1 + (one is role))]
    sender = platforms[role].pop()
    module = "tokens" if role in (Role.EMSP, Role.NSP) else "locations"
    owner = sender.parties[0].id
    body = bodies.location(owner)
    if module == "tokens":
        made = await parties.emsp()
        body = bodies.token(made) | {"country_code": owner.country_code, "party_id": owner.party_id}
    id = body.get("uid") or body["id"]

    def is_it(seen: Received) -> bool:
        return seen.segments == (*owner, id)

    check(await sender.call("PUT", module, RECEIVER, *owner, id, to=HUB, sender=owner, body=body), 200, 1000)
    for one in RECEIVERS[role]:
        await platforms[one][0].wait_for(is_it)
    await asyncio.sleep(0.1)
    reached = {one for one in RECEIVERS if any(map(is_it, platforms[one][0].received))}
    assert reached == RECEIVERS[role]
    assert not any(map(is_it, sender.received))
