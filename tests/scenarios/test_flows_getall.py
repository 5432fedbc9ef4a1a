"""GET all on its legs, and after a time in which one heard nothing (OCPI 2.2.1, 4.4.2.4)."""

from __future__ import annotations

import uuid

from connectors import headers as names
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, SENDER, Parties, asked, check, eventually, party_of, since
from tests.scenarios.test_getall import PUSHES_ONLY, complete, listed, push
from tests.scenarios.test_routing_headers import legs


async def test_the_answer_is_from_the_hub_and_nobody_else_is_asked(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(**PUSHES_ONLY), await parties.emsp()
    body = bodies.location(party_of(cpo))
    await push(cpo, "locations", body)
    await complete(parties.hub, cpo)
    await listed(emsp, {body["id"]})
    before = since(cpo)
    given = {names.REQUEST_ID: f"req-{uuid.uuid4()}", names.CORRELATION_ID: f"corr-{uuid.uuid4()}"}
    answer = await emsp.call("GET", "locations", SENDER, to=HUB, headers=given)
    check(answer, 200, 1000)
    assert legs(answer.headers) == (party_of(emsp), HUB)
    assert {name: answer.headers[name] for name in given} == given
    assert [(one["country_code"], one["party_id"]) for one in answer.data] == [(*party_of(cpo),)]
    assert not asked(cpo, after=before)


async def test_what_was_pushed_while_one_was_away_is_in_the_list_by_its_own_date(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(**PUSHES_ONLY), await parties.emsp()
    known, missed = (
        bodies.location(party_of(cpo), last_updated=f"2026-0{month}-01T00:00:00Z") for month in (4, 5)
    )  # fmt: skip
    await complete(parties.hub, cpo)
    await push(cpo, "locations", known)
    await emsp.wait_for(lambda one: one.module == "locations")
    await emsp.offline()
    await push(cpo, "locations", missed)
    await push(cpo, "locations", missed | {"name": "newest"})
    await emsp.online()
    await listed(emsp, {missed["id"]}, date_from="2026-05-01T00:00:00Z")
    await listed(emsp, {known["id"], missed["id"]})

    async def newest() -> bool:
        answer = await emsp.call("GET", "locations", SENDER, to=HUB, query={"date_from": "2026-05-01T00:00:00Z"})
        return bool(answer.data == [missed | {"name": "newest"}])

    await eventually(newest, within=10)  # readers may lag
