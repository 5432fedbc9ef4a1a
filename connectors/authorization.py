"""The Authorization header of OCPI (4.1.2 Authorization header; both ways of writing a credential are met).

2.2-d2 and later encode the credential as Base64, earlier ones send it as it is, and peers do not keep to that. So a
header is read into every credential it may mean, and whoever asks looks each up by its digest: never accept one
because it decodes.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from enum import Enum, auto
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, NamedTuple

from connectors.errors import InvalidParameters

LONGEST: Final = 64
"""The longest credential that OCPI allows, in characters."""

_HEADER: Final = re.compile(r"[ \t]*token[ \t]+([!-~]{1,1024})[ \t]*", re.IGNORECASE | re.ASCII)
_PLAIN: Final = re.compile(r"[!-~]+")
_PLAIN_BYTES: Final = re.compile(rb"[!-~]+")
_BASE64: Final = re.compile(r"([A-Za-z0-9+/]+)={0,2}")


class Form(Enum):
    """How a credential stands in the header."""

    RAW = auto()
    BASE64 = auto()


class Candidate(NamedTuple):
    """A credential that a header may mean. Its text is a secret."""

    credential: str
    form: Form


def candidates(header: str | None) -> tuple[Candidate, ...]:
    """Every credential that an Authorization header may mean: as it stands first; none if it is not `Token ...`."""
    match = _HEADER.fullmatch(header) if header else None
    if match is None:
        return ()
    raw = Candidate(match[1], Form.RAW)
    decoded = _decoded(match[1])
    return (raw,) if decoded is None else (raw, Candidate(decoded, Form.BASE64))


def told_in(header: str | None, body: bytes) -> bool:
    """Whether a credential that this header may mean stands in a body."""
    return any(found.credential.encode() in body for found in candidates(header))


def present(credential: str, form: Form) -> str:
    """The header's value for a credential; raises InvalidParameters unless it is printable ASCII without blanks."""
    if not _PLAIN.fullmatch(credential):
        raise InvalidParameters(
            "the credential is not printable ASCII without blanks (token of the credentials object)"
        )
    if form is Form.RAW:
        return f"Token {credential}"
    return f"Token {b64encode(credential.encode('ascii')).decode('ascii')}"


def digest(credential: str) -> bytes:
    """SHA-256 of a credential, by which it is found; fine without salt, because a credential has 256 random bits."""
    return sha256(credential.encode("utf-8", "surrogatepass")).digest()


def new_credential() -> str:
    """A new credential: 256 random bits in 43 URL-safe characters."""
    return token_urlsafe(32)


def _decoded(value: str) -> str | None:
    match = _BASE64.fullmatch(value)
    if match is None:
        return None
    digits = match[1]
    try:
        text = binascii.a2b_base64(digits + "=" * (-len(digits) % 4), strict_mode=True)
    except binascii.Error:
        return None
    # Made with `echo ... | base64`, as the samples of the specification are, it ends in a newline.
    text = text.strip()
    return text.decode("ascii") if _PLAIN_BYTES.fullmatch(text) else None
