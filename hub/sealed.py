"""Rewritten URLs: what stands behind a URL that the hub made of somebody else's (response_url, Location, Link).

All of it is packed, encrypted and put into the URL itself, so any edge opens it and nothing is stored. OCPI's URL
type has at most 255 characters (OCPI 2.2.1, 16.5); a URL that would be longer is stored under a random ref instead,
encrypted as well. Who uses such a URL must be the platform that it was made for.
"""

from __future__ import annotations

import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, Literal, get_args
from uuid import UUID

from connectors.client.origins import origin_of
from connectors.errors import UnknownUrl
from connectors.values import PartyId
from hub.keys import Keys, KeysError

Kind = Literal["command", "profile", "cdr", "page"]
Origins = Callable[[str], Iterable[str]]
"""The known origins of a platform by its id, as origin_of gives them; none for a platform that is not there."""

MAX_URL: Final = 255
STORED_REF: Final = 43
"""The length of a stored ref: 32 random bytes. A sealed one is always longer."""

_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_CONTEXT: Final = b"ocpi-hub url 1"
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")
_PACKED_UUID: Final = re.compile(rb"([\0\1])(.{16})", re.DOTALL)
_PREFIX: Final = re.compile(r"([A-Za-z]+://[^/?]*).*")
_AS_WRITTEN: Final = 2  # an origin in a spelling that cannot be told from the known one: the whole URL is packed
# Part of the format: a change of one byte would close every URL that is out there.
_WORDS: Final = (
    b"https://api.www..com.net.eu.io&date_to=&date_from=202-01-01T00:00:00Z?limit=100&offset=hubbookingpayments"
    b"tariffstokenssessionslocations/RFID/APP_USER/chargingprofiles/callback/results/CANCEL_RESERVATION"
    b"/RESERVE_NOW/UNLOCK_CONNECTOR/STOP_SESSION/START_SESSION/api/v1/roaming/ocpi/cpo/2.1.1/2.3.0/sender/commands/"
    b"/ocpi/emsp/2.2.1/receiver/cdrs/"
)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a URL of the hub stands for.

    `caller` is the id of the platform that will use it, as its party `sender`; `target` the id of the platform behind
    it, as its party `to`. `url` is the target's own, absolute URL, below an origin known of it. `expires` is UTC ms.
    """

    kind: Kind
    caller: str
    target: str
    url: str
    expires: int
    to: PartyId
    sender: PartyId


def seal(rewrite: Rewrite, base_url: str, keys: Keys) -> str | None:
    """The hub's URL for this, below `base_url` (which ends in a slash); None where it would be longer than MAX_URL.

    Raises InvalidParameters for a URL that is none.
    """
    for deflate in (False, True):  # deflating takes longer than all the rest, so only where it is needed
        url = base_url + _text(keys.seal(pack(rewrite, deflate=deflate), _CONTEXT))
        if len(url) <= MAX_URL:
            return url
    return None


def open_ref(ref: str, keys: Keys, now: int, origins: Origins) -> Rewrite:
    """What a sealed ref stands for. Raises UnknownUrl for anything else, and for one that expired by `now`."""
    try:
        sealed = urlsafe_b64decode(ref + "=" * (-len(ref) % 4))
        # Base64 has spellings that mean the same bytes: only the hub's own is one.
        if _text(sealed) != ref:
            raise _unknown()
        packed = keys.unseal(sealed, _CONTEXT)
    except (KeysError, ValueError):
        raise _unknown() from None
    return unpack(packed, now, origins)


# --- stored, where it is too long ------------------------------------------------------------------------------------


def lock(rewrite: Rewrite, keys: Keys) -> tuple[str, bytes]:
    """An unguessable ref, and the content to store under it. Raises InvalidParameters for a URL that is none."""
    ref = token_urlsafe(32)
    return ref, keys.encrypt(pack(rewrite), _CONTEXT + ref.encode())


def unlock(ref: str, content: bytes, keys: Keys, now: int, origins: Origins) -> Rewrite:
    """What was stored under this ref. Raises UnknownUrl as open_ref does."""
    try:
        packed = keys.decrypt(content, _CONTEXT + ref.encode())
    except KeysError:
        raise _unknown() from None
    return unpack(packed, now, origins)


# --- packing ---------------------------------------------------------------------------------------------------------


def pack(rewrite: Rewrite, *, deflate: bool = True) -> bytes:
    """One byte of flags, expiry, parties, platforms, origin, rest of the URL; with `deflate` as short as it will go.

    Raises InvalidParameters for a URL that is none.
    """
    url = rewrite.url
    origin_of(url)
    written = _PREFIX.sub(r"\1", url)
    flags, between, as_written = _pack_ends(rewrite.caller, rewrite.target, rewrite.to, rewrite.sender, written)
    if not as_written:
        url = url[len(written) :]
    short, deflated = _squeeze(url, deflate=deflate)
    flags |= _KINDS.index(rewrite.kind) | deflated << 6
    return b"".join((bytes((flags,)), rewrite.expires.to_bytes(6, "big"), between, short))


@lru_cache(maxsize=4096)
def _pack_ends(caller: str, target: str, to: PartyId, sender: PartyId, written: str) -> tuple[int, bytes, bool]:
    """What the URLs between the same two have in common: its flags, its bytes, and whether the whole URL is packed."""
    from_id, from_flag = _pack_id(caller)
    to_id, to_flag = _pack_id(target)
    origin = origin_of(written)
    spellings = _spellings(origin)
    spelling = spellings.index(written) if written in spellings else _AS_WRITTEN
    flags = from_flag << 2 | to_flag << 3 | spelling << 4
    between = b"".join((_pack_party(to), _pack_party(sender), from_id, to_id, _digest(origin)))
    return flags, between, spelling == _AS_WRITTEN


def unpack(packed: bytes, now: int, origins: Origins) -> Rewrite:
    """The other way; only of what `pack` made. Raises UnknownUrl when it expired or its origin is no longer known."""
    flags = packed[0]
    expires = int.from_bytes(packed[1:7], "big")
    if expires <= now:
        raise UnknownUrl("this URL has expired")
    to, sender = _unpack_party(packed[7:11]), _unpack_party(packed[11:15])
    caller, at = _unpack_id(packed, 15, flags >> 2 & 1)
    target, at = _unpack_id(packed, at, flags >> 3 & 1)
    known = [origin for origin in origins(target) if _digest(origin) == packed[at : at + 4]]
    if not known:
        raise UnknownUrl("the party behind this URL is no longer where it was when the hub gave it")
    spelling = flags >> 4 & 3
    rest = _expand(packed[at + 4 :], flags >> 6 & 1)
    url = rest if spelling == _AS_WRITTEN else _spellings(known[0])[spelling] + rest
    return Rewrite(_KINDS[flags & 3], caller, target, url, expires, to, sender)


def _pack_id(id: str) -> tuple[bytes, int]:
    """A platform id: 16 bytes for a UUID as usually written, else its length and itself."""
    text = id.encode()
    if _UUID.fullmatch(text) and id == id.lower():
        return UUID(id).bytes, 1
    return bytes((len(text),)) + text, 0


def _unpack_id(packed: bytes, at: int, is_uuid: int) -> tuple[str, int]:
    if is_uuid:
        return str(UUID(bytes=packed[at : at + 16])), at + 16
    end = at + 1 + packed[at]
    return packed[at + 1 : end].decode(), end


def _pack_party(party: PartyId) -> bytes:
    """Two letters and up to three printable characters are 30 bits."""
    number = 0
    for letter in party.country_code:
        number = number * 26 + ord(letter) - ord("A")
    for character in party.party_id.ljust(3):
        number = number * 95 + ord(character) - ord(" ")
    return number.to_bytes(4, "big")


def _unpack_party(packed: bytes) -> PartyId:
    number = int.from_bytes(packed, "big")
    id = ""
    for _ in range(3):
        number, digit = divmod(number, 95)
        id = chr(digit + ord(" ")) + id
    first, second = divmod(number, 26)
    return PartyId(chr(first + ord("A")) + chr(second + ord("A")), id.rstrip())


def _spellings(origin: str) -> tuple[str, str]:
    """With the port always written, as origins are known, and as people write it."""
    return origin, origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _digest(origin: str) -> bytes:
    return sha256(origin.encode()).digest()[:4]


def _squeeze(text: str, *, deflate: bool) -> tuple[bytes, int]:
    """UUIDs as 16 bytes behind a control character (which a URL has none of), then deflated if that is shorter."""
    plain = _UUID.sub(_pack_uuid, text.encode("ascii"))
    if not deflate:
        return plain, 0
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_WORDS)
    deflated = packer.compress(plain) + packer.flush()
    return (deflated, 1) if len(deflated) < len(plain) else (plain, 0)


def _expand(short: bytes, deflated: int) -> str:
    if deflated:
        short = zlib.decompressobj(-15, zdict=_WORDS).decompress(short)
    return _PACKED_UUID.sub(_unpack_uuid, short).decode("ascii")


def _pack_uuid(found: re.Match[bytes]) -> bytes:
    text = found[0].decode()
    return (b"\1" if text != text.lower() else b"\0") + UUID(text).bytes


def _unpack_uuid(found: re.Match[bytes]) -> bytes:
    text = str(UUID(bytes=found[2]))
    return (text.upper() if found[1] == b"\1" else text).encode()


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _unknown() -> UnknownUrl:
    return UnknownUrl("the hub did not make this URL, or no longer knows it: use it exactly as it was given")
