"""Tokens by their contract."""

from __future__ import annotations

import orjson

from connectors.values import PartyId
from routing.log.port import Position
from routing.state import ObjectState, Part, StateKey
from routing.store.port import Store
from tests.contract.store.stored import CPO, EMSP, KEY, Harness, state


def of_contract(
    contract_id: object, uid: str = "T1", owner: PartyId = EMSP, *, to: PartyId | None = None, offset: int = 1
) -> ObjectState:
    body = orjson.dumps({"uid": uid, "contract_id": contract_id})
    return state(offset, key=StateKey(owner, "tokens", uid, "RFID", to), body=body)


async def test_the_owners_of_a_contract_are_found_each_once_and_by_nothing_but_the_whole_id(store: Store) -> None:
    another = PartyId("DE", "ANE")
    await store.write_states([of_contract("DE-C1", f"T{number}") for number in range(300)])
    await store.write_states([of_contract("de-c1", "U1", another), of_contract("DE-C12", "U2", CPO)])
    assert await store.find_contract("DE-c1", None) == [another, EMSP]
    assert await store.find_contract("DE-C12", None) == [CPO]
    for nothing in ("DE-C", "DE-C1 ", "C1", "", "DE*C1", "\ud800", "\0", "x" * 1000):
        assert not await store.find_contract(nothing, None), nothing


async def test_a_contract_is_found_for_the_audience_that_its_token_was_told_to(store: Store) -> None:
    await store.write_states([of_contract("C1", to=CPO), of_contract("C2")])
    assert not await store.find_contract("C1", None)
    assert await store.find_contract("C1", CPO) == [EMSP]
    assert not await store.find_contract("C2", CPO)


async def test_the_contract_of_a_token_is_that_of_its_newest_state(harness: Harness) -> None:
    store = harness.store
    await store.write_states([of_contract("C1", offset=5)])
    await store.write_states([of_contract("C0", offset=4)])
    assert [await store.find_contract(one, None) for one in ("C0", "C1")] == [[], [EMSP]]
    await store.write_states([of_contract("C2", offset=6)])
    store = await harness.reopen()
    assert [await store.find_contract(one, None) for one in ("C1", "C2")] == [[], [EMSP]]
    key = of_contract("C2").key
    parts = (Part((), whole=False, body=b'{"contract_id": "C3"}'), Part((), whole=False, body=b'{"valid": false}'))
    await store.write_states([ObjectState(key, Position(1, 7), "2.2.1", parts=parts)])
    assert [await store.find_contract(one, None) for one in ("C2", "C3")] == [[], [EMSP]]
    await store.write_states([ObjectState(key, Position(1, 8), "2.2.1", deleted=True)])
    assert not await store.find_contract("C3", None)


async def test_no_contract_is_none_that_anything_is_found_by(store: Store) -> None:
    location = state(1, key=KEY, body=b'{"contract_id": "C1"}')
    values: list[object] = ["#NA", None, 1.5, [], "", "y" * 300]
    odd = [of_contract(value, f"T{at}") for at, value in enumerate(values)]
    broken = state(1, key=of_contract("x", "BROKEN").key, body=b"{")
    await store.write_states([location, *odd, broken, of_contract(7, "NUMBER")])
    for nothing in ("C1", "#NA", "#na", "None", "1.5", "", "y" * 300):
        assert not await store.find_contract(nothing, None), nothing
    assert await store.find_contract("7", None) == [EMSP]
