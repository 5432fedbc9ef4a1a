"""OCPI's headers are read into values or refused by name, and written so that they read the same."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from connectors import headers
from connectors.errors import InvalidParameters
from connectors.headers import MessageIds, Routing
from connectors.values import PartyId

TNM, MSP = PartyId("NL", "TNM"), PartyId("DE", "MSP")
UPPER = [chr(code) for code in range(0x41, 0x5B)]
PARTIES = st.builds(
    PartyId,
    st.text(UPPER, min_size=2, max_size=2),
    st.text([*UPPER, *"0123456789*-_#"], min_size=1, max_size=3),
)


@given(PARTIES | st.none(), PARTIES | st.none())
def test_what_is_written_reads_the_same_and_the_answer_is_swapped(to: PartyId | None, sender: PartyId | None) -> None:
    routing = Routing(to, sender)
    written = CIMultiDict(headers.write(to, sender, "r", "c"))
    assert headers.read(written) == routing
    assert headers.read_ids(written) == MessageIds("r", "c")
    assert headers.read(CIMultiDict((name.lower(), value.lower()) for name, value in written.items())) == routing
    assert routing.answered() == Routing(sender, to)
    assert routing.answered().answered() == routing


def test_a_message_without_parties_has_no_routing_headers() -> None:
    assert headers.write(None, None, "r", "c") == {"X-Request-ID": "r", "X-Correlation-ID": "c"}
    assert headers.write(TNM, MSP, "r", "c") == {
        "X-Request-ID": "r",
        "X-Correlation-ID": "c",
        "OCPI-to-country-code": "NL",
        "OCPI-to-party-id": "TNM",
        "OCPI-from-country-code": "DE",
        "OCPI-from-party-id": "MSP",
    }
    assert headers.read({}) == Routing(None, None)


@pytest.mark.parametrize("lacks", [headers.TO_COUNTRY, headers.TO_PARTY, headers.FROM_COUNTRY, headers.FROM_PARTY])
def test_half_a_pair_is_refused_by_the_name_that_lacks(lacks: str) -> None:
    given = CIMultiDict(headers.write(TNM, MSP, "r", "c"))
    del given[lacks]
    with pytest.raises(InvalidParameters, match=f"^header {lacks} lacks"):
        headers.read(given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (headers.TO_COUNTRY, ""),
        (headers.TO_COUNTRY, "NLD"),
        (headers.FROM_COUNTRY, "N1"),
        (headers.TO_PARTY, ""),
        (headers.TO_PARTY, "TNM4"),
        (headers.FROM_PARTY, "T M"),
        (headers.FROM_PARTY, "x" * 8000),
    ],
)
def test_a_value_that_is_no_partys_is_refused_by_its_name(name: str, value: str) -> None:
    given = CIMultiDict(headers.write(TNM, MSP, "r", "c"))
    given[name] = value
    with pytest.raises(InvalidParameters, match=f"^header {name}: ") as error:
        headers.read(given)
    assert len(error.value.message) < 200


@pytest.mark.parametrize("name", [headers.REQUEST_ID, headers.CORRELATION_ID])
@pytest.mark.parametrize("value", ["x" * 129, "a\nb", "a\x7f", "é", "\udcff"])
def test_an_id_that_is_long_or_unprintable_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(InvalidParameters, match=name):
        headers.read_ids({name: value})


def test_ids_may_lack() -> None:
    assert headers.read_ids({}) == MessageIds(None, None)
    assert headers.read_ids({headers.REQUEST_ID: "", headers.CORRELATION_ID: "x" * 128}) == MessageIds(None, "x" * 128)


NAMES = st.sampled_from([headers.TO_COUNTRY, headers.TO_PARTY, headers.FROM_COUNTRY, headers.FROM_PARTY])


@given(st.dictionaries(NAMES | st.sampled_from([headers.REQUEST_ID, headers.CORRELATION_ID]), st.text()))
def test_no_headers_raise_anything_but_a_refusal(given: dict[str, str]) -> None:
    for function in (headers.read, headers.read_ids):
        with suppress(InvalidParameters):
            function(given)
