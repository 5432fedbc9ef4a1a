"""URLs that pass through the hub: response_url, the CDR's Location, the Link of a list (DESIGN 7, R 2.7, 5.3, 5.4)."""

from __future__ import annotations

import orjson
import pytest

from connectors.sample import Received, SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, SENDER, Parties, check, got, party_of

COMMANDS = ("START_SESSION", "STOP_SESSION", "RESERVE_NOW", "CANCEL_RESERVATION", "UNLOCK_CONNECTOR")


def path_of(url: str) -> str:
    """The path and query of a URL."""
    return "/" + url.split("/", 3)[3]


async def came(emsp: SamplePlatform, url: str, after: int = 0) -> Received:
    """The result at the eMSP's own response_url."""
    return await emsp.wait_for(lambda one: one.method == "POST" and one.path == path_of(url), after=after)


def is_of_the_hub(parties: Parties, url: str, given: str) -> None:
    assert url.startswith(parties.hub.public_url + "/") and url != given and len(url) <= 255, url


@pytest.mark.parametrize("command", COMMANDS)
async def test_the_result_of_a_command_comes_back_through_the_hub(parties: Parties, command: str) -> None:
    cpo, emsp = await parties.pair()
    body = bodies.command(cpo, emsp, command)
    answer = await emsp.call("POST", "commands", RECEIVER, command, to=party_of(cpo), body=body)
    check(answer, 200, 1000)
    assert answer.data["result"] == "ACCEPTED"
    received = got(cpo, "commands", "POST")[0]
    is_of_the_hub(parties, received.json["response_url"], body["response_url"])
    assert received.json | {"response_url": body["response_url"]} == body
    result = await came(emsp, body["response_url"])
    assert result.json == {"result": "ACCEPTED"}
    assert (result.sender, result.to) == (party_of(cpo), party_of(emsp))
    # A reservation that is cancelled later is told under the same URL (13.2.2).
    again = await cpo.call_url(
        "POST", received.json["response_url"], to=party_of(emsp), body={"result": "CANCELED_RESERVATION"}
    )
    check(again, 200, 1000)
    assert (await came(emsp, body["response_url"], after=result.seq)).json == {"result": "CANCELED_RESERVATION"}


async def test_only_the_value_of_response_url_is_replaced(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    url = emsp.response_url("commands", "STOP_SESSION")
    written = url.replace("/", "\\/")
    pattern = (
        '{ "x-unknown" : [1.10, 1E5,  "\\u00e9"],\n\t"response_url"\t: "%s" , "session_id":"S-0001", "n": 1e400 }  '
    )
    body = (pattern % written).encode()
    answer = await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=body)
    assert answer.http_status in (200, 400), answer  # 1e400 is JSON, whatever the sample's library makes of it
    sent = got(cpo, "commands")[0].body.decode()
    before, after = pattern.split("%s")
    assert sent.startswith(before) and sent.endswith(after)
    is_of_the_hub(parties, sent[len(before) : -len(after)], url)


async def test_a_response_url_of_255_characters_still_fits(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    base = emsp.response_url("commands", "STOP_SESSION")
    url = base + "?q=" + "aZ9-" * 64
    body = bodies.command(cpo, emsp, "STOP_SESSION") | {"response_url": url[:255]}
    check(await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=body), 200, 1000)
    is_of_the_hub(parties, got(cpo, "commands")[0].json["response_url"], url)
    assert (await came(emsp, url[:255])).json == {"result": "ACCEPTED"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_the_result_of_a_charging_profile_comes_back_through_the_hub(parties: Parties, method: str) -> None:
    cpo, emsp = await parties.pair()
    url = emsp.response_url("chargingprofiles")
    answer = await emsp.call(
        method, "chargingprofiles", RECEIVER, "S-0001", to=party_of(cpo),
        query=None if method == "PUT" else {"duration": "900", "response_url": url, "x": "a b&c"},
        body={"charging_profile": bodies.PROFILE, "response_url": url} if method == "PUT" else None,
    )  # fmt: skip
    check(answer, 200, 1000)
    received = got(cpo, "chargingprofiles")[0]
    if method == "PUT":
        given = received.json["response_url"]
    else:
        given = received.query["response_url"]
        assert (received.query["duration"], received.query["x"]) == ("900", "a b&c")
    is_of_the_hub(parties, given, url)
    result = await came(emsp, url)
    assert result.json["result"] == "ACCEPTED"
    assert ("profile" in result.json) == (method == "GET")


async def test_a_url_of_the_hub_is_for_the_platform_that_it_was_given_to(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.cpo()
    body = bodies.command(cpo, emsp, "STOP_SESSION")
    cpo.result_delay = 3600
    check(await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=body), 200, 1000)
    url = got(cpo, "commands")[0].json["response_url"]
    result = {"result": "ACCEPTED"}
    for caller, where in ((other, url), (emsp, url), (cpo, url[:-1]), (cpo, url + "A"), (cpo, url[:-9] + "x" * 9)):
        check(await caller.call_url("POST", where, body=result), 404, 2000)
    cdr_url = url.replace("/sender/commands/STOP_SESSION/", "/receiver/cdrs/")
    check(await cpo.call_url("GET", cdr_url), 404, 2000)
    check(await cpo.call_url("POST", url, body=result), 200, 1000)
    await emsp.unregister()
    check(await cpo.call_url("POST", url, body=result), 404, 2000, "no longer")


async def test_a_result_is_tried_again_while_its_receiver_cannot_be_reached(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    body = bodies.command(cpo, emsp, "STOP_SESSION")
    await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=body)
    url = got(cpo, "commands")[0].json["response_url"]
    first = await came(emsp, body["response_url"])
    await emsp.offline()
    emsp.away(0.5)
    check(await cpo.call_url("POST", url, body={"result": "FAILED"}), 200, 1000)
    assert (await came(emsp, body["response_url"], after=first.seq)).json == {"result": "FAILED"}


async def test_a_cdr_is_read_at_the_location_that_its_sender_got(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cdr = bodies.cdr(cpo, emsp)
    answer = await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=cdr)
    check(answer, 201, 1000)
    location = answer.headers["Location"]
    is_of_the_hub(parties, location, "")
    read = await cpo.call_url("GET", location, to=party_of(emsp))
    check(read, 200, 1000)
    assert read.data == cdr
    check(await cpo.call_url("GET", location), 200, 1000)  # without TO: the URL says enough
    check(await emsp.call_url("GET", location), 404, 2000)


async def test_every_page_of_a_list_comes_through_the_hub(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(page_limit=7), await parties.emsp()
    ids: list[str] = []

    async def page(url: str | None, to: PartyId | None) -> SampleAnswer:
        if url is None:
            query = {"limit": "20", "date_from": "2026-01-05T08:03:00Z", "x": "a b"}
            return await emsp.call("GET", "locations", SENDER, to=to, query=query)
        is_of_the_hub(parties, url, "")
        return await emsp.call_url("GET", url, to=to)

    answer = await page(None, party_of(cpo))
    for number in range(20):
        check(answer, 200, 1000)
        assert (answer.headers["X-Total-Count"], answer.headers["X-Limit"]) == ("48", "7")
        ids += [one["id"] for one in answer.data]
        assert len(answer.data) == min(7, 48 - 7 * number)
        asked = got(cpo, "locations")[-1]
        assert (asked.query["date_from"], asked.query["x"]) == ("2026-01-05T08:03:00Z", "a b")
        if answer.next_url is None:
            break
        # A client may or may not repeat the TO headers on the next page.
        answer = await page(answer.next_url, party_of(cpo) if number % 2 else None)
    assert ids == [f"LOC{number:04}" for number in range(3, 51)]


async def test_a_next_page_is_for_the_platform_that_asked(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(page_limit=10), await parties.emsp()
    other = await parties.emsp()
    url = (await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo), query={"limit": "1"})).next_url
    assert url is not None
    check(await other.call_url("GET", url), 404, 2000)
    check(await emsp.call_url("GET", url), 200, 1000)
    link = orjson.dumps(url).decode()
    assert str(cpo.port) not in link
