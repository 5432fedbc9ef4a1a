"""What may be sent again, by method, module and what the recipient may have seen."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from connectors.errors import HubError, NotConnected, OutcomeUnknown
from connectors.values import Module
from routing.outbound import Answered, NoEnvelope
from routing.repeat import Saw, may_repeat, saw

METHODS = ("GET", "PUT", "PATCH", "POST", "DELETE")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("module", [*Module, "nltnm-tokens"])
def test_what_was_not_seen_may_go_again_and_a_get_always(method: str, module: str) -> None:
    assert may_repeat(method, module, Saw.NOTHING)
    assert may_repeat("GET", module, Saw.ALL)


@pytest.mark.parametrize("seen", [Saw.PERHAPS, Saw.ALL])
def test_what_may_have_been_seen_goes_again_only_where_it_says_what_is(seen: Saw) -> None:
    again = {
        (method, module)
        for method in METHODS[1:]
        for module in (*Module, "nltnm-tokens")
        if may_repeat(method, module, seen)
    }
    assert again == {
        *((method, module) for method in ("PUT", "PATCH", "DELETE") for module in ("locations", "tariffs", "tokens")),
        ("PUT", "sessions"),
        ("DELETE", "sessions"),
    }


def test_p5_neither_a_cdr_nor_a_part_of_a_session_goes_again_once_it_was_begun() -> None:
    for seen in (Saw.PERHAPS, Saw.ALL):
        assert not may_repeat("POST", "cdrs", seen)
        assert not may_repeat("PATCH", "sessions", seen)


def test_what_came_tells_what_was_seen() -> None:
    assert saw(NotConnected("refused", refused=True)) is Saw.NOTHING
    assert saw(OutcomeUnknown("reset")) is Saw.PERHAPS
    assert saw(NoEnvelope("HTML", 503, b"")) is Saw.ALL
    assert saw(HubError("a redirect")) is Saw.ALL
    assert saw(Answered(503, 3000, CIMultiDict(), b"", 1.0)) is Saw.ALL
