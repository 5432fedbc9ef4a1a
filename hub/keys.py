"""The key ring: everything secret that is stored is encrypted with it, and URLs that the hub makes are sealed with it.

AES-GCM with a random nonce. What is encrypted carries its key's id, so that keys are changed by putting a new one in
front: the first of `HUB_KEYS` encrypts, all decrypt. Stored things and URLs use keys of their own, derived from the
one that is set, because URLs are made by the million and each nonce of a key must stay unique.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FILE: Final = "keys"
META: Final = "keys"
"""Under this name the store keeps what `check` proves its keys by."""

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SEAL_OVERHEAD: Final = 1 + NONCE_BYTES + 16
"""How many bytes `seal` adds: a byte of the key's id, the nonce, the tag."""

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_CANARY: Final = b"ocpi-hub"
_CANARY_CONTEXT: Final = b"keys"


class KeysError(Exception):
    """Base of what goes wrong with keys; the sentence says what to mend and never holds a key."""


class KeysInvalid(KeysError):
    """`HUB_KEYS` or the key file cannot be used as it is."""


class KeyMissing(KeysError):
    """Something was encrypted with a key that the ring does not hold."""


class Undecipherable(KeysError):
    """Something is not what the hub encrypted: changed, cut, of another context, or of another key with this id."""


class Meta(Protocol):
    """What `check` needs of the store."""

    async def get_meta(self, name: str) -> bytes | None: ...

    async def add_meta(self, name: str, value: bytes, *, after: bytes | None = None) -> bytes: ...


class Keys:
    """The ring. `secrets` are 32 bytes each by id; the first one encrypts. Raises KeysInvalid."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        if not secrets:
            raise KeysInvalid("HUB_KEYS holds no key: write id:base64 of 32 random bytes")
        for id, secret in secrets.items():
            if not _ID.fullmatch(id):
                raise KeysInvalid("HUB_KEYS: an id is 1 to 32 letters, digits, dots, dashes or underscores")
            if len(secret) != KEY_BYTES:
                raise KeysInvalid(f"HUB_KEYS: key {id!r} has {len(secret)} bytes, not {KEY_BYTES}")
        self.ids = tuple(secrets)
        self._stored = {id: _derived(secret, b"stored") for id, secret in secrets.items()}
        self._seals: list[tuple[int, AESGCM]] = [
            (sha256(id.encode()).digest()[0], _derived(secret, b"urls")) for id, secret in secrets.items()
        ]

    def __repr__(self) -> str:
        return f"Keys({', '.join(self.ids)})"

    # --- where they come from ----------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str) -> Keys:
        """The ring of `id:base64(32 bytes),...`, as HUB_KEYS and the key file have it. Raises KeysInvalid."""
        secrets: dict[str, bytes] = {}
        for number, entry in enumerate(filter(None, re.split(r"[,\s]+", text)), start=1):
            id, colon, encoded = entry.partition(":")
            if not colon:
                raise KeysInvalid(f"HUB_KEYS: entry {number} has no colon; write id:base64 of 32 random bytes")
            if id in secrets:
                raise KeysInvalid(f"HUB_KEYS: the id of entry {number} is there twice")
            try:
                secrets[id] = b64decode(encoded, validate=True)
            except (NotBase64, ValueError):
                raise KeysInvalid(f"HUB_KEYS: the key of entry {number} is not Base64") from None
        return cls(secrets)

    @classmethod
    def load_or_make(cls, folder: Path) -> Keys:
        """The ring in the key file of a data folder; the file is made, mode 0600, where there is none.

        Raises KeysInvalid, also for a file that others than its owner may read or write.
        """
        path = folder / FILE
        try:
            if not path.exists():
                _make(path, f"{token_hex(4)}:{b64encode(token_bytes(KEY_BYTES)).decode()}\n")
            mode = path.stat().st_mode & 0o777
            text = path.read_text("ascii")
        except OSError as error:
            raise KeysInvalid(f"the key file {path} cannot be used: {error.strerror}") from error
        except UnicodeDecodeError:
            raise KeysInvalid(f"the key file {path} is damaged: restore a copy of it") from None
        if mode & 0o077:
            raise KeysInvalid(
                f"the key file {path} can be read by others (mode {mode:04o}): if nobody did, chmod 600 it,"
                " else put a new key in front"
            )
        try:
            return cls.parse(text)
        except KeysInvalid as error:
            raise KeysInvalid(f"the key file {path} is damaged ({error}): restore a copy of it") from None

    # --- what is stored ----------------------------------------------------------------------------------------------

    def encrypt(self, plain: bytes, context: bytes) -> bytes:
        """The key's id, a nonce and the ciphertext. The same `context` is needed to decrypt it."""
        id = self.ids[0]
        name = id.encode()
        nonce = token_bytes(NONCE_BYTES)
        return bytes((len(name),)) + name + nonce + self._stored[id].encrypt(nonce, plain, context)

    def decrypt(self, encrypted: bytes, context: bytes) -> bytes:
        """What was encrypted. Raises KeyMissing and Undecipherable."""
        at = 1 + (encrypted[0] if encrypted else 0)
        id = encrypted[1:at].decode("ascii", "replace")
        if not _ID.fullmatch(id) or len(encrypted) < at + NONCE_BYTES:
            raise Undecipherable("this is nothing that the hub encrypted")
        key = self._stored.get(id)
        if key is None:
            raise KeyMissing(
                f"the data is encrypted with key {id!r}, which HUB_KEYS (or the key file) does not hold:"
                " add that key behind the first one"
            )
        try:
            return key.decrypt(encrypted[at : at + NONCE_BYTES], encrypted[at + NONCE_BYTES :], context)
        except InvalidTag:
            raise Undecipherable(
                f"the data cannot be decrypted with key {id!r}: it was changed, or HUB_KEYS (or the key file)"
                " has another key of this id"
            ) from None

    # --- what goes into URLs -----------------------------------------------------------------------------------------

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """As encrypt, with SEAL_OVERHEAD bytes more than `plain` and no more."""
        tag, key = self._seals[0]
        nonce = token_bytes(NONCE_BYTES)
        return bytes((tag,)) + nonce + key.encrypt(nonce, plain, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed. Raises Undecipherable."""
        if len(sealed) >= SEAL_OVERHEAD:
            for tag, key in self._seals:
                if tag == sealed[0]:
                    try:
                        return key.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], context)
                    except InvalidTag:
                        continue  # two ids may share a byte
        raise Undecipherable("this was not sealed by the hub, or with a key that it no longer has")


# --- data without its key --------------------------------------------------------------------------------------------


def sentinel(keys: Keys) -> bytes:
    """A line that proves, later, that the first key of the ring is still there; safe to store in clear."""
    return b64encode(keys.encrypt(_CANARY, _CANARY_CONTEXT))


def verify(keys: Keys, sentinels: bytes) -> None:
    """Raises KeyMissing or Undecipherable unless the ring has the key of every line."""
    for line in sentinels.split():
        try:
            keys.decrypt(b64decode(line, validate=True), _CANARY_CONTEXT)
        except ValueError:
            raise Undecipherable("what the store keeps to prove its keys is damaged: restore a copy of it") from None


async def check(keys: Keys, store: Meta) -> None:
    """At the start: does the ring hold every key that data in this store may be encrypted with?

    Each key that was ever first leaves its sentinel. Raises KeyMissing or Undecipherable, for the hub to refuse to
    start, and StoreAway. Processes that start at once see one another's: none of them writes over another's line.
    """
    kept = await store.get_meta(META)
    while True:
        verify(keys, kept or b"")
        if keys.ids[0] in _ids((kept or b"").split()):
            return
        wanted = (kept or b"") + sentinel(keys) + b"\n"
        stored = await store.add_meta(META, wanted, after=kept)
        if stored == wanted:
            return
        kept = stored or None


def _ids(lines: Iterable[bytes]) -> set[str]:
    records = [b64decode(line) for line in lines]
    return {record[1 : 1 + record[0]].decode() for record in records}


def _derived(secret: bytes, purpose: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"ocpi-hub " + purpose).derive(secret))


def _make(path: Path, text: str) -> None:
    """Whole and durable, or not at all; who is second keeps what the first one made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(made, path)
        except FileExistsError:
            return
    finally:
        made.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
