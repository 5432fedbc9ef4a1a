"""Asking an owner for one object: by its id, or in the list of what changed; what comes back that is not an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from connectors.client.client import Answer
from connectors.errors import NotConnected
from connectors.values import PartyId, Role
from hub.pulling import owners
from hub.pulling.owners import PAGES, HttpOwners
from routing.directory import Directory, Party, Platform, Status
from routing.reading import NotTold, Sought
from tests.hub.edge.harness import CPO, HUB, Sent, answer, platform

LOCATION = {"country_code": CPO.country_code, "party_id": CPO.party_id, "id": "Loc1", "last_updated": "2026"}
TOKEN = {"country_code": CPO.country_code, "party_id": CPO.party_id, "uid": "T2", "type": "RFID"}
SOUGHT = Sought(CPO, "locations", "Loc1")


class Side:
    """What asks, and a platform that answers with `replies`, one after the other, the last again and again."""

    def __init__(self, *replies: Answer, role: Role = Role.CPO, status: Status = Status.CONNECTED) -> None:
        self.replies = list(replies)
        self.sent: list[Sent] = []
        self.failing: Callable[[], None] = lambda: None
        self.platform = replace(platform("cpo", Party(CPO, role)), status=status)
        self.signs: list[bool] = []
        client: Any = self
        self.owners = HttpOwners(
            client=client, signs=self, directory=lambda: Directory([self.platform], hub=HUB, revision=7),
            authorize=lambda platform: f"Token {platform.id}", of_one=10.0, of_list=30.0,
        )  # fmt: skip

    async def send(
        self, method: str, url: str, headers: Any, body: bytes | None, *, within: float, permit: Any = None
    ) -> Answer:
        self.sent.append(Sent(method, url, headers, body, within))
        self.failing()
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def alive(self, platform: Platform) -> None:
        self.signs.append(platform.id == "cpo")

    def failed(self, platform: Platform) -> None:
        self.signs.append(platform.id != "cpo")


def well(data: object, **headers: str) -> Answer:
    return answer(orjson.dumps({"status_code": 1000, "data": data}), 200, **headers)


async def test_a_location_is_read_by_its_id() -> None:
    side = Side(well(LOCATION))
    told = await side.owners.read(SOUGHT)
    assert told is not None and told.body is not None
    assert (told.id, told.last_updated, told.platform, told.revision) == ("Loc1", "2026", "cpo", 7)
    (sent,) = side.sent
    assert (sent.method, sent.url, sent.within) == ("GET", "https://cpo.example/sender/locations/Loc1", 10.0)
    assert (sent.headers["OCPI-to-party-id"], sent.headers["OCPI-from-party-id"]) == (CPO.party_id, HUB.party_id)
    assert side.signs == [True]


@pytest.mark.parametrize("gone", [answer(b'{"status_code":2003}', 200), answer(b'{"status_code":2000}', 404)])
async def test_one_that_it_does_not_know_is_gone_but_where_its_id_may_be_written_otherwise(gone: Answer) -> None:
    told = await Side(gone).owners.read(SOUGHT)
    assert told is not None and told.body is None
    assert await Side(gone).owners.read(replace(SOUGHT, id="LOC1", certain=False)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        answer(b"<html>", 404), answer(b'{"status_code":3000}', 200), answer(b'{"status_code":1000}', 200),
        well({**LOCATION, "id": "Loc2"}), well({**LOCATION, "party_id": "OTH"}), answer(b"", 401),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_none(wrong: Answer) -> None:
    with pytest.raises(NotTold):
        await Side(wrong).owners.read(SOUGHT)


async def test_who_cannot_be_reached_did_not_tell() -> None:
    side = Side(well(LOCATION))

    def away() -> None:
        raise NotConnected("refused")

    side.failing = away
    with pytest.raises(NotTold, match="refused"):
        await side.owners.read(SOUGHT)
    assert side.signs == [False]


async def test_a_token_is_found_in_the_list_of_what_changed_since() -> None:
    sought = Sought(CPO, "tokens", "T2", "RFID", since="2026-01-02T03:04:05.700Z")
    other = [{**TOKEN, "uid": "T1"}, {**TOKEN, "type": "AD_HOC_USER"}]
    further = '<https://cpo.example/sender/tokens?offset=2&limit=100>; rel="next"'
    side = Side(well(other, Link=further), well([TOKEN]), role=Role.EMSP)
    told = await side.owners.read(sought)
    assert told is not None and told.body is not None and b'"RFID"' in told.body
    assert [sent.url.partition("?")[2] for sent in side.sent] == [
        "date_from=2026-01-02T03:04:04Z&offset=0&limit=100", "offset=2&limit=100",
    ]  # fmt: skip


async def test_one_that_is_in_no_list_is_not_said_to_be_gone_and_a_list_without_end_is_left() -> None:
    sought = Sought(CPO, "tokens", "T9", "RFID")
    assert await Side(well([TOKEN]), role=Role.EMSP).owners.read(sought) is None
    pages = [
        well([TOKEN], Link=f'<https://cpo.example/sender/tokens?offset={number}&limit=100>; rel="next"')
        for number in range(1, PAGES + 5)
    ]
    side = Side(*pages, role=Role.EMSP)
    assert await side.owners.read(sought) is None
    assert len(side.sent) == PAGES


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "REST_SECONDS", 0.0)


async def test_p12_a_next_page_elsewhere_is_not_followed() -> None:
    side = Side(well([TOKEN], Link='<https://elsewhere.example/tokens>; rel="next"'), role=Role.EMSP)
    with pytest.raises(NotTold):
        await side.owners.read(Sought(CPO, "tokens", "T9", "RFID"))
    assert len(side.sent) == 1


async def test_who_can_be_asked() -> None:
    assert Side(well(LOCATION)).owners.there(SOUGHT) is True
    assert Side(well(LOCATION), status=Status.OFFLINE).owners.there(SOUGHT) is False
    assert Side(well(LOCATION), status=Status.SUSPENDED).owners.there(SOUGHT) is None
    assert Side(well(LOCATION), role=Role.EMSP).owners.there(SOUGHT) is None, "it owns no locations"
    assert Side(well(LOCATION)).owners.there(replace(SOUGHT, owner=PartyId("NL", "TWO"))) is None
    with pytest.raises(NotTold):
        await Side(well(LOCATION)).owners.read(replace(SOUGHT, owner=PartyId("NL", "TWO")))
