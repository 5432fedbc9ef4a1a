"""P12: the Location of a CDR is given on as the hub's own, and only where it leads to the eMSP that gave it."""

from __future__ import annotations

import pytest

from connectors.values import InterfaceRole, PartyId, Role
from hub.keys import Keys
from hub.locate import Locations
from hub.rewriter import Rewriter
from routing.clock import SystemClock
from routing.directory import Directory, Endpoint, Hosted, Party, Platform, Status
from routing.store.memory import MemoryStore
from tests.routing.events import event

CPO, EMSP = PartyId("NL", "TNM"), PartyId("DE", "EMS")
CDRS = Endpoint("cdrs", InterfaceRole.RECEIVER, "https://emsp.example/ocpi/cdrs")
SENDING = Platform("cpo", parties=(Party(CPO, Role.CPO),), version="2.2.1", status=Status.CONNECTED)
TAKING = Platform(
    "emsp", parties=(Party(EMSP, Role.EMSP),), version="2.2.1", status=Status.CONNECTED, endpoints=(CDRS,),
    origins=("https://emsp.example:443",),
)  # fmt: skip
POSTED = event("POST", {"id": "C1"}, module="cdrs", object_id="C1", path=(), audience=EMSP)


@pytest.fixture
async def rewriter() -> Rewriter:
    store = MemoryStore()
    await store.start()
    return Rewriter(Keys({"k": bytes(32)}), store, "https://hub.example")


DIRECTORY = Directory([SENDING, TAKING], hub=PartyId("NL", "HUB"))


def locations(rewriter: Rewriter) -> Locations:
    return Locations(rewriter, SystemClock(), days=400, directory=lambda: DIRECTORY)


@pytest.mark.parametrize(
    ("location", "behind"),
    [
        ("https://emsp.example/ocpi/cdrs/C1", "https://emsp.example/ocpi/cdrs/C1"),
        ("/ocpi/cdrs/C1", "https://emsp.example/ocpi/cdrs/C1"),
    ],
)
async def test_a_location_becomes_one_of_the_hubs_that_its_sender_can_use(
    rewriter: Rewriter, location: str, behind: str
) -> None:
    located = await locations(rewriter).locate(POSTED, Hosted(TAKING, TAKING.parties[0]), location)
    assert located is not None
    base, _, ref = located.rpartition("/")
    assert base == "https://hub.example/ocpi/2.2.1/receiver/cdrs"
    found = await rewriter.resolve("cdr", ref, "cpo", DIRECTORY)
    assert (found.url, found.to, found.sender) == (behind, EMSP, CPO)


@pytest.mark.parametrize(
    "location",
    ["https://elsewhere.example/C1", "http://169.254.169.254/", "//elsewhere.example/C1", "ftp://x", "http://["],
)
async def test_p12_a_location_elsewhere_is_not_given_on(rewriter: Rewriter, location: str) -> None:
    to = Hosted(TAKING, TAKING.parties[0])
    assert await locations(rewriter).locate(POSTED, to, location) is None
