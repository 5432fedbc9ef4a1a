from __future__ import annotations

import pytest

from connectors.errors import MethodNotAllowed, UnknownUrl
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.v2_2_1.urls import split
from connectors.values import InterfaceRole


def matched(method: str, raw: str) -> tuple[str, dict[str, str]]:
    target = split(raw)
    match = CATALOGUE.match(target.module, target.interface, method, target.segments)
    return match.row.id, match.params


def test_every_row_is_reached_by_its_own_shape() -> None:
    for row in CATALOGUE.rows:
        segments = tuple(part.strip("{}") for part in row.segments)
        assert CATALOGUE.match(row.module, row.interface, row.method, segments).row is row


@pytest.mark.parametrize(
    ("method", "raw", "row"),
    [
        ("GET", "/ocpi/versions", "VER-1"),
        ("GET", "/ocpi/2.2.1", "VER-2"),
        ("PUT", "/ocpi/2.2.1/credentials", "CRE-3"),
        ("PATCH", "/ocpi/2.2.1/receiver/locations/NL/ABC/L1/E1", "LOC-R8"),
        ("POST", "/ocpi/2.2.1/receiver/cdrs", "CDR-R1"),
        ("POST", "/ocpi/2.2.1/sender/tokens/012/authorize", "TOK-S2"),
        ("POST", "/ocpi/2.2.1/sender/commands/START_SESSION/ref", "CMD-S1"),
        ("POST", "/ocpi/2.2.1/sender/chargingprofiles/result/ref", "CHP-S1"),
        ("PUT", "/ocpi/2.2.1/sender/chargingprofiles/S1", "CHP-S2"),
    ],
)
def test_a_call_finds_its_row(method: str, raw: str, row: str) -> None:
    assert matched(method, raw)[0] == row


def test_placeholders_carry_the_decoded_segments() -> None:
    row, params = matched("PUT", "/ocpi/2.2.1/receiver/locations/NL/ABC/a%2Fb")
    assert (row, params) == ("LOC-R4", {"country_code": "NL", "party_id": "ABC", "location_id": "a/b"})


def test_a_tariff_has_no_patch_in_2_2_1() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        matched("PATCH", "/ocpi/2.2.1/receiver/tariffs/NL/ABC/T1")
    assert refused.value.allowed == ("GET", "PUT", "DELETE")


def test_a_shape_that_no_row_has_is_404() -> None:
    with pytest.raises(UnknownUrl):
        matched("GET", "/ocpi/2.2.1/sender/tariffs/T1")


def test_both_interfaces_of_every_forwarded_module_are_offered() -> None:
    offered = set(CATALOGUE.endpoints())
    for module in ("locations", "sessions", "cdrs", "tariffs", "tokens", "commands", "chargingprofiles"):
        assert {(module, InterfaceRole.SENDER), (module, InterfaceRole.RECEIVER)} <= offered


def test_the_rows_of_the_reference_are_all_there() -> None:
    # R 1.5: 37 functional endpoints in 2.2.1, and versions, credentials and hubclientinfo.
    assert len(CATALOGUE.rows) == len({row.id for row in CATALOGUE.rows}) == 37 + 9
