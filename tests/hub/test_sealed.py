"""Rewritten URLs: they come back whole, fit into 255 characters or say so, and nothing else is taken for one."""

from __future__ import annotations

import re
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.client.origins import origin_of
from connectors.errors import InvalidParameters, UnknownUrl
from connectors.values import PartyId
from hub.keys import Keys
from hub.sealed import MAX_URL, STORED_REF, Kind, Rewrite, lock, open_ref, seal, unlock

KEYS = Keys({"k": bytes(32)})
BASE = "https://hub.example.com/ocpi/2.2.1/sender/commands/START_SESSION/"
NOW = 1_700_000_000_000
CPO, EMSP = PartyId("NL", "TNM"), PartyId("DE", "EMS")
KINDS: list[Kind] = ["command", "profile", "cdr", "page"]

REWRITE = Rewrite(
    kind="command",
    caller="018f2c4e-6d3b-7aa0-9a55-0f4de7e1b6aa",
    target="018f2c4e-6d3b-7aa0-9a55-0f4de7e1b6ab",
    url="https://emsp.example.com/ocpi/emsp/2.2.1/commands/START_SESSION/3fa85f64-5717-4562-b3fc-2c963f66afa6",
    expires=NOW + 1,
    to=EMSP,
    sender=CPO,
)

parties = st.builds(
    PartyId,
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
    st.text(sorted(map(chr, set(range(33, 127)) - set(range(97, 123)))), min_size=1, max_size=3),
)
ids = st.one_of(st.uuids().map(str), st.uuids().map(lambda id: str(id).upper()), st.text(max_size=20))
hosts = st.sampled_from(
    ["https://a.example", "HTTPS://A.Example", "https://a.example:443", "http://[::1]:8080", "http://10.0.0.1:80"]
)
rests = st.one_of(
    st.just(""),
    st.text(string.ascii_letters + string.digits + "-._~%/?=&:+,;!$'()*@[]", max_size=120).map(lambda text: f"/{text}"),
    st.lists(st.one_of(st.uuids().map(str), st.uuids().map(lambda id: str(id).upper())), max_size=4).map(
        lambda found: "/" + "-".join(found)
    ),
    st.just("?offset=50&limit=50&date_from=2024-01-01T00:00:00Z"),
)
rewrites = st.builds(
    Rewrite,
    kind=st.sampled_from(KINDS),
    caller=ids,
    target=ids,
    url=st.builds(lambda host, rest: host + rest, hosts, rests),
    expires=st.integers(NOW + 1, NOW * 100),
    to=parties,
    sender=parties,
)


def known(rewrite: Rewrite) -> dict[str, Iterable[str]]:
    return {rewrite.target: ("https://elsewhere.example:443", origin_of(rewrite.url))}


def opened(ref: str, rewrite: Rewrite, *, now: int = NOW) -> Rewrite:
    return open_ref(ref, KEYS, now, lambda id: known(rewrite).get(id, ()))


def sealed(rewrite: Rewrite) -> str:
    url = seal(rewrite, BASE, KEYS)
    assert url is not None
    return url.removeprefix(BASE)


@given(rewrites)
def test_what_was_sealed_or_locked_comes_back_whole(rewrite: Rewrite) -> None:
    url = seal(rewrite, BASE, KEYS)
    if url is not None:
        assert len(url) <= MAX_URL
        assert opened(url.removeprefix(BASE), rewrite) == rewrite
    ref, content = lock(rewrite, KEYS)
    assert unlock(ref, content, KEYS, NOW, lambda id: known(rewrite).get(id, ())) == rewrite


@given(rewrites)
def test_refs_are_one_path_segment_and_of_two_lengths(rewrite: Rewrite) -> None:
    url = seal(rewrite, "", KEYS)
    ref, _ = lock(rewrite, KEYS)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", ref)
    assert len(ref) == STORED_REF >= 32
    if url is not None:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", url)
        assert len(url) > STORED_REF


def test_usual_urls_fit() -> None:
    urls = [
        REWRITE.url,
        "https://api.charge.example.org/roaming/v2/tenants/018f2c4e-6d3b-7aa0-9a55-0f4de7e1b6aa/ocpi/2.2.1/commands/1",
        "https://emsp.example.com/ocpi/2.2.1/cdrs/3fa85f6457174562b3fc2c963f66afa6",
        "https://cpo.example.com/ocpi/2.2.1/locations?offset=200&limit=100&date_from=2024-05-01T00:00:00Z",
    ]
    for url in urls:
        assert seal(replace(REWRITE, url=url), BASE, KEYS) is not None


def test_what_does_not_fit_is_left_to_the_store() -> None:
    assert seal(replace(REWRITE, url="https://a.example/" + "".join(map(chr, range(63, 127))) * 3), BASE, KEYS) is None


def test_it_is_made_shorter_only_where_it_would_not_fit() -> None:
    bases = ["x" * length for length in range(MAX_URL)]
    made = {base: url for base in bases if (url := seal(REWRITE, base, KEYS)) is not None}
    assert list(made) == bases[: len(made)] and max(map(len, made.values())) == MAX_URL
    assert len({len(url) - len(base) for base, url in made.items()}) == 2
    for base, url in list(made.items())[:: len(made) - 1]:
        assert opened(url.removeprefix(base), REWRITE) == REWRITE


def test_any_flipped_bit_is_refused() -> None:
    ref = sealed(REWRITE)
    data = bytearray(urlsafe_b64decode(ref + "=" * (-len(ref) % 4)))
    for bit in range(len(data) * 8):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UnknownUrl):
            opened(urlsafe_b64encode(data).rstrip(b"=").decode(), REWRITE)
        data[bit // 8] ^= 1 << bit % 8


def test_any_other_character_is_refused() -> None:
    # Also in the last place, where Base64 has bits that mean nothing.
    for url in (REWRITE.url, f"{REWRITE.url}1", f"{REWRITE.url}12"):
        ref = sealed(replace(REWRITE, url=url))
        for at in {0, len(ref) // 2, len(ref) - 1}:
            for other in set(string.ascii_letters + string.digits + "-_=.~%/ ") - {ref[at]}:
                with pytest.raises(UnknownUrl):
                    opened(ref[:at] + other + ref[at + 1 :], REWRITE)


@given(st.one_of(st.text(max_size=200), st.binary(max_size=150).map(lambda b: urlsafe_b64encode(b).decode())))
def test_garbage_is_a_404(garbage: str) -> None:
    with pytest.raises(UnknownUrl, match="the hub did not make this URL"):
        opened(garbage, REWRITE)


def test_it_expires() -> None:
    ref = sealed(REWRITE)
    assert opened(ref, REWRITE, now=REWRITE.expires - 1) == REWRITE
    with pytest.raises(UnknownUrl, match="expired"):
        opened(ref, REWRITE, now=REWRITE.expires)


def test_it_is_closed_once_its_origin_is_not_known_any_more() -> None:
    ref = sealed(REWRITE)
    for origins in ((), ("https://emsp.example.com:8443", "http://emsp.example.com:80")):
        with pytest.raises(UnknownUrl, match="no longer where it was"):
            open_ref(ref, KEYS, NOW, lambda _, origins=origins: origins)  # type: ignore[misc]


def test_another_key_does_not_open_it_and_an_older_one_still_does() -> None:
    ref = sealed(REWRITE)
    with pytest.raises(UnknownUrl):
        open_ref(ref, Keys({"k": bytes(31) + b"1"}), NOW, known(REWRITE).__getitem__)
    rotated = Keys({"new": b"n" * 32, "k": bytes(32)})
    assert open_ref(ref, rotated, NOW, known(REWRITE).__getitem__) == REWRITE


def test_nobody_reads_what_is_in_it() -> None:
    ref = sealed(REWRITE)
    raw = urlsafe_b64decode(ref + "=" * (-len(ref) % 4))
    assert UUID(REWRITE.target).bytes not in raw
    assert b"emsp" not in raw
    assert sealed(REWRITE) != ref


def test_content_locked_under_one_ref_opens_under_no_other() -> None:
    ref, content = lock(REWRITE, KEYS)
    assert b"emsp" not in content
    with pytest.raises(UnknownUrl):
        unlock(ref[::-1], content, KEYS, NOW, known(REWRITE).__getitem__)
    with pytest.raises(UnknownUrl):
        unlock(ref, b"", KEYS, NOW, known(REWRITE).__getitem__)


@pytest.mark.parametrize("url", ["", "/cdrs/1", "https://a@b.example/", "https://a.example/\0", "https://a.example/é"])
def test_what_is_no_url_is_2001(url: str) -> None:
    with pytest.raises(InvalidParameters):
        seal(replace(REWRITE, url=url), BASE, KEYS)
