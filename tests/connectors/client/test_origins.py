"""Origins: one spelling for each, and a clear no for what two parsers could read in two ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from connectors.client.origins import known, origin_of
from connectors.errors import InvalidParameters


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.COM/ocpi/2.2.1", "https://example.com:443"),
        ("HTTPS://example.com:443", "https://example.com:443"),
        ("http://example.com?x=1", "http://example.com:80"),
        ("https://example.com:8443/a//b?c=%2F@d:e", "https://example.com:8443"),
        ("https://93.184.216.34/", "https://93.184.216.34:443"),
        ("https://[2001:0DB8:0:0::1]/", "https://[2001:db8::1]:443"),
        ("https://[::ffff:127.0.0.1]:00443/", "https://[::ffff:7f00:1]:443"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443"),
        ("https://a_b-c.1e100.net./", "https://a_b-c.1e100.net.:443"),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin
    assert origin_of(origin) == origin
    assert known(url, {origin})


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "scheme://host"),
        ("/ocpi", "scheme://host"),
        ("//example.com/", "scheme://host"),
        ("https:/example.com/", "scheme://host"),
        ("https://", "host lacks"),
        ("https:///path", "host lacks"),
        ("https://:443/", "host and port"),
        ("https://example.com:/", "host and port"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:4x3/", "host and port"),
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("javascript:alert(1)", "scheme://host"),
        ("https://user:secret@example.com/", "user info"),
        ("https://user@example.com/", "user info"),
        ("https://good.example\\@evil.example/", "user info"),
        ("https://good.example\\evil.example/", "host and port"),
        ("https://example.com/#fragment", "%23"),
        ("https://example.com/\r\nX: y", "percent-encoded"),
        ("https://example.com/a b", "percent-encoded"),
        (" https://example.com/", "percent-encoded"),
        ("https://bücher.example/", "punycode"),
        ("https://exa%6dple.com/", "host and port"),
        ("https://example..com/", "labels"),
        ("https://" + "a" * 64 + ".com/", "labels"),
        ("https://2130706433/", "four decimal"),
        ("https://0x7f.1/", "four decimal"),
        ("https://127.1/", "four decimal"),
        ("https://0177.0.0.1/", "four decimal"),
        ("https://127.0.0.1./", "four decimal"),
        ("https://256.1.1.1/", "four decimal"),
        ("https://1.2.3.0x/", "four decimal"),
        ("https://[::1/", "host and port"),
        ("https://[1::2::3]/", "IPv6"),
        ("https://[fe80::1%25eth0]/", "host and port"),
        ("https://[v1.x]/", "host and port"),
    ],
)
def test_nonsense_is_refused_with_what_to_mend(url: str, says: str) -> None:
    with pytest.raises(InvalidParameters, match=says):
        origin_of(url)


def test_p11_a_refusal_keeps_the_user_info_to_itself() -> None:
    for url in ("https://user:secret@example.com/", "https://user:secret@example.com/a b", "x://user:secret@a"):
        with pytest.raises(InvalidParameters) as refused:
            origin_of(url)
        assert "secret" not in refused.value.message


def test_another_scheme_host_or_port_is_another_origin() -> None:
    origins = frozenset({"https://example.com:443"})
    assert known("https://example.com/any?thing", origins)
    for url in (
        "http://example.com:443/",
        "https://example.com:444/",
        "https://www.example.com/",
        "https://example.co/",
    ):
        assert not known(url, origins)


WORDS = "http https : / // :// @ # ? [ ] ::1 . 127.0.0.1 0x7f a Example.com :80 :0 % \\ é 0"
PIECES = st.sampled_from([*WORDS.split(), " ", "\r\n"])


@given(st.text() | st.lists(PIECES).map("".join) | st.lists(PIECES).map(lambda x: "https://" + "".join(x)))
def test_any_text_is_an_origin_or_refused_and_the_client_library_reads_it_the_same(url: str) -> None:
    try:
        origin = origin_of(url)
    except InvalidParameters:
        return
    read = URL(url, encoded=True)
    host = f"[{read.raw_host}]" if ":" in (read.raw_host or "") else read.raw_host
    assert origin_of(f"{read.scheme}://{host}:{read.port}") == origin
    assert read.raw_user is None
    assert read.raw_password is None
