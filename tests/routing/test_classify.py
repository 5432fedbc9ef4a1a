"""Classification: total, and the same as a table written apart from the code (OCPI 2.2.1, header matrix in 4.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalogue import Row
from connectors.errors import InvalidParameters, OcpiError, UnknownReceiver
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import InterfaceRole, PartyId
from routing.classify import Way, classify

HUB = PartyId("NL", "HUB")
PARTY = PartyId("DE", "EMS")

# Written from the header matrix, not from the code: row, then the answer with TO absent, the hub, another party.
# "4001" nothing in it tells the receiver; "2001" forbidden.
TABLE = """
VER-1   own        own        own
VER-2   own        own        own
CRE-1   own        own        own
CRE-2   own        own        own
CRE-3   own        own        own
CRE-4   own        own        own
HCI-S1  own        own        own
HCI-R1  own        own        own
HCI-R2  own        own        own
LOC-S1  2001       all        relay
LOC-S2  open       2001       relay
LOC-S3  open       2001       relay
LOC-S4  open       2001       relay
LOC-R1  4001       2001       relay
LOC-R2  4001       2001       relay
LOC-R3  4001       2001       relay
LOC-R4  broadcast  broadcast  directed
LOC-R5  broadcast  broadcast  directed
LOC-R6  broadcast  broadcast  directed
LOC-R7  broadcast  broadcast  directed
LOC-R8  broadcast  broadcast  directed
LOC-R9  broadcast  broadcast  directed
SES-S1  2001       all        relay
SES-S2  open       2001       relay
SES-R1  open       2001       relay
SES-R2  directed   2001       directed
SES-R3  directed   2001       directed
CDR-S1  2001       all        relay
CDR-R1  directed   2001       directed
CDR-R2  callback   callback   callback
TAR-S1  2001       all        relay
TAR-R1  4001       2001       relay
TAR-R2  broadcast  broadcast  directed
TAR-R4  broadcast  broadcast  directed
TOK-S1  2001       all        relay
TOK-S2  open       2001       relay
TOK-R1  4001       2001       relay
TOK-R2  broadcast  broadcast  directed
TOK-R3  broadcast  broadcast  directed
CMD-R1  open       2001       relay
CMD-S1  callback   callback   callback
CHP-R1  open       2001       relay
CHP-R2  open       2001       relay
CHP-R3  open       2001       relay
CHP-S1  callback   callback   callback
CHP-S2  open       2001       relay
"""
ANSWERS = {line.split()[0]: line.split()[1:] for line in TABLE.split("\n") if line}


def answer(row: Row, to: PartyId | None) -> str:
    try:
        return str(classify(row, to, HUB))
    except (InvalidParameters, UnknownReceiver) as error:
        return str(error.status_code)


def test_the_table_has_every_row_of_the_catalogue() -> None:
    assert set(ANSWERS) == {row.id for row in CATALOGUE.rows}


@pytest.mark.parametrize("row", CATALOGUE.rows, ids=lambda row: row.id)
def test_agrees_with_the_header_matrix(row: Row) -> None:
    assert [answer(row, to) for to in (None, HUB, PARTY)] == ANSWERS[row.id]


@pytest.mark.parametrize("row", CATALOGUE.rows, ids=lambda row: row.id)
@pytest.mark.parametrize("to", [None, HUB], ids=["absent", "hub"])
def test_every_no_names_the_headers_to_send(row: Row, to: PartyId | None) -> None:
    if answer(row, to) in {"2001", "4001"}:
        with pytest.raises(OcpiError, match="OCPI-to-country-code"):
            classify(row, to, HUB)


rows = st.builds(
    Row,
    id=st.just("X"),
    module=st.sampled_from(["locations", "cdrs", "tokens", "commands", "credentials", "nltnm-own", ""]),
    interface=st.sampled_from([None, *InterfaceRole]),
    method=st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "BREW"]),
    template=st.sampled_from(["", "{id}", "{country_code}/{party_id}/{id}"]),
    listing=st.booleans(),
    callback=st.booleans(),
)
parties = st.sampled_from([None, HUB, PARTY])


@given(rows, parties)
def test_is_total(row: Row, to: PartyId | None) -> None:
    assert answer(row, to) in {*Way, "2001", "4001"}


@given(rows)
def test_whatever_names_a_party_goes_to_it_or_is_the_hubs_own(row: Row) -> None:
    assert classify(row, PARTY, HUB) is not Way.BROADCAST


@given(rows, parties)
def test_only_data_for_everyone_is_broadcast(row: Row, to: PartyId | None) -> None:
    if answer(row, to) == Way.BROADCAST:
        assert row.module in {"locations", "tariffs", "tokens"}
        assert row.interface is InterfaceRole.RECEIVER
        assert row.method != "GET"
