"""P5: a CDR is a new one, a repetition or a contradiction, by what is remembered of it."""

from __future__ import annotations

import pytest

from connectors.values import PartyId
from routing.cdrs import Attempt, Contradiction, Repetition, decide
from routing.log.port import Position
from routing.store.port import CdrKey, CdrRecord

KEY = CdrKey(PartyId("NL", "TNM"), "C1", PartyId("DE", "EMS"))
BODY = b'{"id": "C1", "total_energy": 12.50}'


def record(status_code: int | None) -> CdrRecord:
    return CdrRecord(KEY, BODY, Position(1, 1), 0, 200 if status_code else None, status_code, b"{}", None)


@pytest.mark.parametrize("before", [None, record(None), record(2001), record(3000)])
def test_nothing_accepted_before_means_an_attempt(before: CdrRecord | None) -> None:
    assert decide(before, BODY) == Attempt()


@pytest.mark.parametrize("body", [BODY, b'{"total_energy":12.5,"id":"C1"}'])
def test_the_same_json_value_is_a_repetition_however_it_is_written(body: bytes) -> None:
    assert decide(record(1000), body) == Repetition(record(1000))


def test_another_value_under_an_accepted_id_is_a_contradiction_that_names_its_paths() -> None:
    match decide(record(1000), b'{"id":"C1","total_energy":12.51,"more":1}'):
        case Contradiction(paths=paths):
            assert {"$.total_energy", "$.more"} <= {path.split(" ")[0].rstrip(":") for path in paths}
        case other:
            raise AssertionError(other)
