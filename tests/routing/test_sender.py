"""The sender: an answer in which the hub's credential stands is marked, so that nobody keeps it (promise 11)."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from connectors.client.client import Answer
from connectors.values import InterfaceRole, PartyId, Role
from routing.directory import Endpoint, Hosted, Party, Platform
from routing.outbound import Answered, NoEnvelope
from routing.sender import HttpSender
from routing.worker.ports import Push

EMSP, CPO = PartyId("DE", "EMS"), PartyId("NL", "TNM")
SECRET = "t0p-s3cret-of-the-hub"


class _Client:
    def __init__(self, body: bytes) -> None:
        self.body = body

    async def send(self, *_: Any, **__: Any) -> Answer:
        return Answer(200, CIMultiDictProxy(CIMultiDict()), self.body, 1.0)


class _Signs:
    def alive(self, platform: Platform) -> None:
        del platform

    def failed(self, platform: Platform) -> None:
        del platform


async def push(body: bytes) -> Answered:
    receiver = Endpoint("locations", InterfaceRole.RECEIVER, "https://ems.example/locations")
    party = Party(EMSP, Role.EMSP)
    to = Hosted(Platform("p", parties=(party,), version="2.2.1", endpoints=(receiver,)), party)
    sender = HttpSender(_Client(body), lambda platform: f"Token {SECRET}", _Signs())  # type: ignore[arg-type]
    return await sender.push(
        Push(to, CPO, "locations", "PUT", ("NL", "TNM", "L1"), "", b"{}", "c"), within=1.0, permit=lambda: True
    )


@pytest.mark.parametrize(("said", "echoes"), [(SECRET, True), ("no", False)])
async def test_p11_a_refusal_with_the_hubs_credential_in_it_is_marked(said: str, echoes: bool) -> None:
    answered = await push(b'{"status_code": 2001, "status_message": "%s"}' % said.encode())
    assert answered.echoes is echoes


async def test_p11_what_is_no_envelope_is_not_kept_where_the_hubs_credential_stands_in_it() -> None:
    with pytest.raises(NoEnvelope) as page:
        await push(b"<html>it works</html>")
    assert page.value.came == b"<html>it works</html>"
    with pytest.raises(NoEnvelope) as page:
        await push(f"<html>{SECRET}</html>".encode())
    assert page.value.came == b""


async def test_of_what_was_taken_nothing_is_kept_so_nothing_is_looked_for() -> None:
    assert not (await push(b'{"status_code": 1000, "status_message": "%s"}' % SECRET.encode())).echoes
