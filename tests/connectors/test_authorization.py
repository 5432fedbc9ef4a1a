"""The Authorization header: both ways of writing a credential are found, and nothing raises."""

from __future__ import annotations

import string
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.authorization import LONGEST, Candidate, Form, candidates, digest, new_credential, present
from connectors.errors import InvalidParameters

CREDENTIALS = st.text([chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=LONGEST)


@given(CREDENTIALS, st.sampled_from(Form))
def test_what_is_presented_is_among_the_candidates(credential: str, form: Form) -> None:
    found = candidates(present(credential, form))
    assert Candidate(credential, form) in found
    assert found[0].form is Form.RAW


@given(CREDENTIALS, st.sampled_from(["", "\n", "\r\n", " "]), st.booleans())
def test_base64_made_with_echo_or_without_padding_is_read(credential: str, tail: str, padded: bool) -> None:
    value = b64encode((credential + tail).encode()).decode()
    assert Candidate(credential, Form.BASE64) in candidates(f"Token {value if padded else value.rstrip('=')}")


@pytest.mark.parametrize("header", ["token abc", "TOKEN   abc", " Token abc ", "Token\tabc", "\tToken \t abc\t"])
def test_blanks_and_case_do_not_matter(header: str) -> None:
    assert candidates(header) == (Candidate("abc", Form.RAW),)


def test_the_samples_of_the_specification() -> None:
    assert Candidate("example-token", Form.BASE64) in candidates("Token ZXhhbXBsZS10b2tlbgo=")


BLANK = [None, "", " ", "Token", "Token "]
OTHER = ["Tokenabc", "Bearer abc", "Basic dTpw", "abc", "Token, abc"]
ODD = ["Token a b", "Token \u00e9", "To\u212aen abc", "Token a\n", "Token a\0", "Token " + "x" * 1025]


@pytest.mark.parametrize("header", [*BLANK, *OTHER, *ODD])
def test_what_is_no_credential_has_no_candidates(header: str | None) -> None:
    assert candidates(header) == ()


@pytest.mark.parametrize("value", ["abcde", "=", "Y=Q=", "YQ===", "YWJj!", "_w==", "AAECAw==", "w6k=", "YSBi"])
def test_what_is_not_printable_base64_is_raw_only(value: str) -> None:
    assert candidates(f"Token {value}") == (Candidate(value, Form.RAW),)


@given(st.text() | st.text(string.ascii_letters + "+/= \t\n").map("Token ".__add__))
def test_no_header_raises_and_candidates_are_printable(header: str) -> None:
    for credential, _ in candidates(header):
        assert credential.isascii()
        assert credential.isprintable()
        assert " " not in credential


@given(st.text())
def test_presenting_makes_a_header_of_one_line_or_refuses(credential: str) -> None:
    for form in Form:
        with suppress(InvalidParameters):
            header = present(credential, form)
            assert header.isascii()
            assert header.isprintable()


@pytest.mark.parametrize("credential", ["", "a b", "a\r\nX: y", "\u00e9"])
def test_p11_a_credential_that_cannot_be_presented_is_refused_without_being_named(credential: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        present(credential, Form.RAW)
    assert not credential or credential not in refused.value.message


@given(st.text())
def test_a_digest_is_sha256(credential: str) -> None:
    assert digest(credential) == sha256(credential.encode("utf-8", "surrogatepass")).digest()


def test_new_credentials_fit_and_differ() -> None:
    made = {new_credential() for _ in range(100)}
    assert len(made) == 100
    assert all(
        32 <= len(one) <= LONGEST and set(one) <= set(string.ascii_letters + string.digits + "-_") for one in made
    )
