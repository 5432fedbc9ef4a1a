from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InvalidParameters, UnknownUrl
from connectors.v2_2_1 import urls
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.v2_2_1.urls import Target, build, join, path, split
from connectors.values import InterfaceRole

S, R = InterfaceRole.SENDER, InterfaceRole.RECEIVER
SEGMENT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    [".", "..", "a/b", "#NA", "NL*ABC*E1", "100%", "%2F", "%25", " ", "?", "//", "é", "+"]
)
ENDPOINTS = [(module, interface) for module, interface in CATALOGUE.endpoints() if interface is not None]
TARGET = (
    st.builds(
        lambda endpoint, segments: Target(endpoint[0], endpoint[1], tuple(segments)),
        st.sampled_from(ENDPOINTS),
        st.lists(SEGMENT, max_size=5),
    )
    | st.builds(lambda segments: Target("credentials", None, tuple(segments)), st.lists(SEGMENT, max_size=2))
    | st.sampled_from([Target("versions", None), Target("versions", None, ("2.2.1",))])
)


@given(TARGET)
def test_split_undoes_path(target: Target) -> None:
    assert split(path(target)) == target


@given(TARGET, st.data())
def test_slashes_percents_and_the_case_of_the_hubs_own_words_make_no_difference(
    target: Target, data: st.DataObject
) -> None:
    pieces = []
    for index, segment in enumerate(path(target).strip("/").split("/")):
        word = segment
        if index < 4 and "%" not in segment and segment.lower() in OWN_WORDS and index < own_words(target):
            word = data.draw(st.sampled_from([segment, segment.upper(), segment.capitalize()]))
        if "%" not in word and data.draw(st.booleans()):
            word = "".join(f"%{ord(c):02x}" if data.draw(st.booleans()) else c for c in word)
        pieces.append(word)
    slash = st.sampled_from(["/", "//", "///"])
    raw = "".join(data.draw(slash) + piece for piece in pieces) + data.draw(st.sampled_from(["", "/", "//"]))
    assert split(raw) == target


OWN_WORDS = {"ocpi", "versions", "credentials", "sender", "receiver", *(module for module, _ in ENDPOINTS)}


def own_words(target: Target) -> int:
    """How many segments from the left are the hub's own."""
    return 4 if target.interface else 3


@given(st.lists(SEGMENT, min_size=1, max_size=5))
def test_what_build_makes_is_ascii_and_decodes_to_the_same(segments: list[str]) -> None:
    built = build(segments)
    assert built.isascii()
    assert not set(built) & set(" ?#*&")
    assert [urls.decode(part) for part in built.split("/")] == segments
    assert not {".", ".."} & set(built.split("/"))


@given(st.text(max_size=30) | st.text("/%2aF.csocpinder", max_size=30))
def test_any_path_is_a_target_or_an_ocpi_error(raw: str) -> None:
    for text in (raw, f"/ocpi/2.2.1/sender/{raw}"):
        with contextlib.suppress(UnknownUrl, InvalidParameters):
            split(text)


def test_the_hubs_layout() -> None:
    assert split("/ocpi/2.2.1/Sender/NLTNM-Tokens/A") == Target("nltnm-tokens", S, ("A",))
    assert split("/ocpi/versions") == Target("versions", None)
    assert split("/ocpi/2.2.1") == split("/ocpi/2.2.1/") == Target("versions", None, ("2.2.1",))
    assert split("/ocpi/2.2.1/credentials/") == Target("credentials", None)
    assert split("/ocpi/2.2.1/receiver/cdrs") == Target("cdrs", R)
    assert split("//OCPI//2.2.1/Sender/Tokens/a%2Fb/authorize") == Target("tokens", S, ("a/b", "authorize"))


def test_what_follows_ocpi_may_be_given_alone() -> None:
    assert split("2.2.1/sender/locations/L1") == Target("locations", S, ("L1",))


def test_a_segment_is_decoded_once() -> None:
    assert split("/ocpi/2.2.1/sender/locations/%252F").segments == ("%2F",)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "/",
        "/ocpi",
        "/ocpi/2.1.1",
        "/ocpi/2.1.1/sender/locations",
        "/ocpi/versions/2.2.1",
        "/ocpi/2.2.1/locations",
        "/ocpi/2.2.1/sender",
        "/ocpi/2.2.1/sender/credentials",
        "/ocpi/2.2.1/sender/hubclientinfo",
        "/metrics",
    ],
)
def test_what_the_hub_does_not_have_is_404(raw: str) -> None:
    with pytest.raises(UnknownUrl):
        split(raw)


@pytest.mark.parametrize("segment", ["%", "%2", "%zz", "a%", "%ff", "%ed%a0%80", "\udcff", "é%ff"])
def test_a_segment_that_is_no_percent_encoded_utf8_is_2001(segment: str) -> None:
    with pytest.raises(InvalidParameters, match="path segment"):
        split(f"/ocpi/2.2.1/sender/locations/{segment}")


@pytest.mark.parametrize("segment", ["", "\ud800"])
def test_a_segment_that_no_url_can_hold_is_not_built(segment: str) -> None:
    with pytest.raises(InvalidParameters):
        build([segment])


@pytest.mark.parametrize(
    ("endpoint", "remainder", "query", "url"),
    [
        ("https://e/locations", "", "", "https://e/locations"),
        ("https://e/locations/", "", "", "https://e/locations/"),
        ("https://e/locations", "L1", "", "https://e/locations/L1"),
        ("https://e/locations/", "L1/E1", "", "https://e/locations/L1/E1"),
        ("https://e/locations//", "/L1", "", "https://e/locations/L1"),
        ("https://e/locations/", "", "limit=5", "https://e/locations/?limit=5"),
        ("https://e/tokens", "a%2Fb/authorize", "type=RFID", "https://e/tokens/a%2Fb/authorize?type=RFID"),
        ("https://e/ocpi?m=tokens", "T1", "type=RFID", "https://e/ocpi/T1?m=tokens&type=RFID"),
        ("https://e/ocpi?m=tokens", "", "", "https://e/ocpi?m=tokens"),
        ("https://e/ocpi?", "T1", "", "https://e/ocpi/T1"),
        ("https://e/ocpi#top", "T1", "a=b", "https://e/ocpi/T1?a=b"),
    ],
)
def test_a_recipients_url_is_its_endpoint_as_advertised_and_the_rest(
    endpoint: str, remainder: str, query: str, url: str
) -> None:
    assert join(endpoint, remainder, query) == url
