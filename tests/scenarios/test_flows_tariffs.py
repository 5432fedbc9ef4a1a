"""Tariffs through the hub (OCPI 2.2.1, chapter 11): for everyone or for one, and gone when they are deleted."""

from __future__ import annotations

from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, Parties, check, got, party_of


async def test_one_emsps_own_tariff_is_put_read_and_deleted_there_and_nowhere_else(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    tariff = bodies.tariff(party_of(cpo))
    path, to = (*party_of(cpo), tariff["id"]), party_of(emsp)
    check(await cpo.call("PUT", "tariffs", RECEIVER, *path, to=to, body=tariff), 201, 1000)
    read = await cpo.call("GET", "tariffs", RECEIVER, *path, to=to)
    check(read, 200, 1000)
    assert read.data == tariff
    check(await cpo.call("DELETE", "tariffs", RECEIVER, *path, to=to), 200, 1000)
    check(await cpo.call("GET", "tariffs", RECEIVER, *path, to=to), 404, 2001)
    check(await cpo.call("DELETE", "tariffs", RECEIVER, *path, to=to), 404, 2001)  # its receiver's own answer
    assert not got(other, "tariffs")


async def test_part_of_a_tariff_cannot_be_changed(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    tariff = bodies.tariff(party_of(cpo))
    answer = await cpo.call(
        "PATCH", "tariffs", RECEIVER, *party_of(cpo), tariff["id"], to=party_of(emsp), body={"currency": "EUR"}
    )
    check(answer, 405, 2000, "PUT")
    assert not got(emsp, "tariffs")
