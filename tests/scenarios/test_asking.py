"""Reading an object from its owner: an update of what the hub does not know goes on at once, the whole is read once."""

from __future__ import annotations

from typing import Any

from connectors.sample import Received, SamplePlatform, sample_cpo, sample_emsp
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, got, new_party, party_of, since

STAMP = "2026-03-02T10:00:{:02d}Z"
WITHIN = 20.0


async def patch(owner: SamplePlatform, module: str, id: str, second: int, /, **body: Any) -> None:
    """Sent as an update by who has the object, with the update in it, and by who does not have it."""
    body["last_updated"] = STAMP.format(second)
    if (own := owner.objects.get(module, party_of(owner), id)) is not None:
        own |= body  # what it answers when it is asked is not older than what it told
    check(await owner.call("PATCH", module, RECEIVER, *party_of(owner), id, to=HUB, body=body), 200, 1000)


def asked_for(owner: SamplePlatform, module: str, id: str) -> list[Received]:
    return [one for one in got(owner, module, "GET") if one.segments[-1:] == (id,)]


async def test_who_does_not_know_the_object_of_an_update_gets_the_whole_as_its_owner_has_it(parties: Parties) -> None:
    emsp = await parties.emsp()
    cpo = sample_cpo(new_party())
    location = bodies.location(party_of(cpo), "AK1")
    cpo.objects.put("locations", party_of(cpo), location)  # and nobody was told of it
    await parties.join(cpo)
    before = since(emsp)
    await patch(cpo, "locations", "AK1", 1, name="first")

    def has(name: str) -> bool:
        copy = emsp.objects.get("locations", party_of(cpo), "AK1")
        return copy is not None and copy.get("name") == name and copy.get("evses") == location["evses"]

    await eventually(lambda: has("first"), within=WITHIN)
    assert [one.method for one in got(emsp, "locations", after=before)] == ["PATCH", "PUT"]
    await patch(cpo, "locations", "AK1", 2, name="second")
    await eventually(lambda: has("second"), within=WITHIN)
    assert len(asked_for(cpo, "locations", "AK1")) == 1, "it is read once"


async def test_a_token_is_read_from_its_owners_list_of_what_changed_since_the_update(parties: Parties) -> None:
    cpo = await parties.cpo()
    emsp = sample_emsp(new_party())
    token = bodies.token(emsp) | {"uid": "AKTOKEN", "contract_id": "NLAKC0000001", "valid": True}
    emsp.objects.put("tokens", party_of(emsp), token)
    await parties.join(emsp)
    before = since(cpo)
    await patch(emsp, "tokens", "AKTOKEN", 7, valid=False)

    def has_it() -> bool:
        return cpo.objects.get("tokens", party_of(emsp), "AKTOKEN") == token | {"valid": False}

    await eventually(has_it, within=WITHIN)
    assert [one.method for one in got(cpo, "tokens", after=before)] == ["PATCH", "PUT"]
    assert [one.query.get("date_from") for one in got(emsp, "tokens", "GET")] == [STAMP.format(6)], "a second earlier"


async def test_what_its_owner_does_not_know_is_asked_for_once_and_updates_go_on(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    before = since(emsp)
    await patch(cpo, "locations", "AK2", 0, name="name 0")
    await eventually(lambda: bool(asked_for(cpo, "locations", "AK2")), within=WITHIN)
    for second in range(1, 6):
        await patch(cpo, "locations", "AK2", second, name=f"name {second}")

    def is_told() -> bool:
        seen = got(emsp, "locations", "PATCH", after=before)
        return any(b"name 5" in one.body for one in seen)

    await eventually(is_told, within=WITHIN)
    assert len(asked_for(cpo, "locations", "AK2")) == 1
