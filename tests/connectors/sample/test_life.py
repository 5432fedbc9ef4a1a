"""The lives: what is published, and the whole story of a car, by walk-in and by command, between the two directly."""

from __future__ import annotations

import asyncio

from connectors.errors import UnknownUrl
from connectors.sample.cpo_life import CpoLife
from connectors.sample.emsp_life import EmspLife
from connectors.sample.life import live
from connectors.sample.record import Received
from connectors.sample.wire import object_of
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.v2_2_1.judge import judge
from tests.connectors.sample.conftest import Pair


def told(received: list[Received]) -> list[tuple[str, str]]:
    return [(item.method, str(item.module)) for item in received]


def flawless(received: list[Received]) -> None:
    """A strict judge finds nothing in what was sent, asynchronous results aside: their URLs are the receiver's own."""
    for item in received:
        assert item.module is not None
        try:
            match = CATALOGUE.match(item.module, item.interface, item.method, item.segments)
        except UnknownUrl:
            assert item.json == {"result": "ACCEPTED"}
            continue
        assert judge(match.row, match.params, item.query.get("type"), item.body).findings == ()


async def test_both_publish_all_they_have(pair: Pair) -> None:
    await CpoLife(pair.cpo, events_per_second=0).publish()
    await EmspLife(pair.emsp, events_per_second=0).publish()
    assert told(list(pair.emsp.received)) == [("PUT", "tariffs")] * 4 + [("PUT", "locations")] * 50
    assert told(list(pair.cpo.received)) == [("PUT", "tokens")] * 500
    assert {item.http_status for item in (*pair.cpo.received, *pair.emsp.received)} == {201}


async def test_a_walk_in_is_authorised_charges_and_is_billed(pair: Pair) -> None:
    cpo = CpoLife(pair.cpo, events_per_second=0)
    assert not await cpo.walk_in()
    await cpo.publish()
    await EmspLife(pair.emsp, events_per_second=0).publish()
    pair.emsp.received.clear()
    while not any(item.module == "cdrs" for item in pair.emsp.received):
        pair.emsp.received.clear()
        assert await cpo.walk_in()
    story = list(pair.emsp.received)
    assert told(story) == [
        ("POST", "tokens"),
        ("PATCH", "locations"),
        ("PUT", "sessions"),
        ("PATCH", "sessions"),
        ("PATCH", "sessions"),
        ("PATCH", "sessions"),
        ("PATCH", "sessions"),
        ("PATCH", "locations"),
        ("POST", "cdrs"),
    ]
    assert {item.http_status for item in story} <= {200, 201}
    flawless(story)
    copy = pair.emsp.objects.get("sessions", None, story[2].segments[2])
    bill = story[-1].json
    assert copy is not None
    assert (copy["status"], copy["kwh"], len(copy["charging_periods"])) == ("COMPLETED", bill["total_energy"], 3)
    assert copy["authorization_reference"] == bill["authorization_reference"]


async def test_start_session_brings_its_result_and_a_session(pair: Pair) -> None:
    cpo, emsp = CpoLife(pair.cpo, events_per_second=0), EmspLife(pair.emsp, events_per_second=0)
    assert not await emsp.start_session()
    await cpo.publish()
    driving = asyncio.create_task(cpo.run(cars=1))
    assert await emsp.start_session()
    session = await pair.emsp.wait_for(lambda received: (received.method, received.module) == ("PUT", "sessions"))
    bill = await pair.emsp.wait_for(lambda received: received.module == "cdrs")
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    command = next(item for item in pair.cpo.received if item.module == "commands")
    assert session.json["auth_method"] == bill.json["auth_method"] == "COMMAND"
    assert session.json["authorization_reference"] == command.json["authorization_reference"]
    flawless([item for item in (*pair.cpo.received, *pair.emsp.received) if object_of(item.json)])


async def test_stop_session_ends_a_session_that_was_started_by_command(pair: Pair) -> None:
    emsp = EmspLife(pair.emsp, events_per_second=0)
    assert not await emsp.stop_session()
    item = {**pair.cpo.objects.all("sessions")[0], "status": "ACTIVE", "auth_method": "COMMAND"}
    pair.emsp.objects.put("sessions", pair.cpo.parties[0].id, item)
    assert await emsp.stop_session()
    command = next(received for received in pair.cpo.received if received.module == "commands")
    assert (command.segments, command.json["session_id"]) == (("STOP_SESSION",), item["id"])


async def test_lives_bear_a_peer_that_is_away_and_end_when_cancelled(pair: Pair) -> None:
    await pair.emsp.offline()
    living = asyncio.create_task(live(pair.cpo, events_per_second=0))
    while len(pair.calls) < 54:
        await asyncio.sleep(0)
    living.cancel()
    ended = await asyncio.gather(living, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert all(call.http_status is None for call in pair.calls)
