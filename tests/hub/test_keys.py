"""The key ring: who can read what, what is refused, and the file that holds it."""

from __future__ import annotations

import asyncio
import os
import threading
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.keys import FILE, META, KeyMissing, Keys, KeysInvalid, Undecipherable, check, sentinel, verify
from routing.store.memory import MemoryData, MemoryStore

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
RING = Keys({"one": ONE})


def entry(id: str, secret: bytes) -> str:
    return f"{id}:{b64encode(secret).decode()}"


@given(plain=st.binary(max_size=200), context=st.binary(max_size=40))
def test_what_was_encrypted_is_decrypted(plain: bytes, context: bytes) -> None:
    encrypted = RING.encrypt(plain, context)
    assert RING.decrypt(encrypted, context) == plain
    assert RING.encrypt(plain, context) != encrypted
    assert RING.unseal(RING.seal(plain, context), context) == plain


def test_another_context_is_refused() -> None:
    with pytest.raises(Undecipherable):
        RING.decrypt(RING.encrypt(b"secret", b"platform-1"), b"platform-2")
    with pytest.raises(Undecipherable):
        RING.unseal(RING.seal(b"secret", b"1"), b"2")


def test_every_changed_bit_is_refused() -> None:
    encrypted, sealed = RING.encrypt(b"secret", b""), RING.seal(b"secret", b"")
    for bit in range(len(encrypted) * 8):
        with pytest.raises((Undecipherable, KeyMissing)):
            RING.decrypt(_flipped(encrypted, bit), b"")
    for bit in range(len(sealed) * 8):
        with pytest.raises(Undecipherable):
            RING.unseal(_flipped(sealed, bit), b"")


@given(st.binary(max_size=80))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises((Undecipherable, KeyMissing)):
        RING.decrypt(garbage, b"")
    with pytest.raises(Undecipherable):
        RING.unseal(garbage, b"")


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    rotated = Keys.parse(f" {entry('two', TWO)}, {entry('one', ONE)} ")
    assert rotated.ids == ("two", "one")
    assert rotated.decrypt(RING.encrypt(b"old", b""), b"") == b"old"
    assert rotated.unseal(RING.seal(b"old", b""), b"") == b"old"
    assert Keys({"two": TWO}).decrypt(rotated.encrypt(b"new", b""), b"") == b"new"


def test_a_missing_key_is_named() -> None:
    with pytest.raises(KeyMissing, match=r"key 'one', which HUB_KEYS \(or the key file\) does not hold"):
        Keys({"two": TWO}).decrypt(RING.encrypt(b"old", b""), b"")


def test_keys_whose_ids_share_a_byte_are_told_apart() -> None:
    ring = Keys({f"k{n}": n.to_bytes(32, "big") for n in range(300)})
    for n in (0, 150, 299):
        sealed = Keys({f"k{n}": n.to_bytes(32, "big")}).seal(b"x", b"")
        assert ring.unseal(sealed, b"") == b"x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no key"),
        (" , ", "holds no key"),
        (b64encode(ONE).decode(), "entry 1 has no colon"),
        (f"{entry('a', ONE)},b:???", "entry 2 is not Base64"),
        (entry("a", ONE[:31]), "'a' has 31 bytes, not 32"),
        (f"{entry('a', ONE)},{entry('a', TWO)}", "entry 2 is there twice"),
        (entry("", ONE), "an id is 1 to 32"),
        (entry("a b", ONE), "entry 1 has no colon"),
    ],
)
def test_what_is_no_ring_is_refused_without_showing_it(text: str, sentence: str) -> None:
    with pytest.raises(KeysInvalid, match=sentence) as refused:
        Keys.parse(text)
    assert b64encode(ONE).decode()[:20] not in str(refused.value)


def test_a_ring_does_not_show_its_keys() -> None:
    assert repr(RING) == "Keys(one)"


# --- the key file ----------------------------------------------------------------------------------------------------


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = Keys.load_or_make(folder)
    assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [(FILE, 0o600)]
    again = Keys.load_or_make(folder)
    assert again.decrypt(made.encrypt(b"secret", b""), b"") == b"secret"
    other = Keys.load_or_make(tmp_path / "other")
    assert other.ids != made.ids


def test_of_many_that_make_it_at_once_all_get_the_same(tmp_path: Path) -> None:
    rings: list[Keys] = []
    threads = [threading.Thread(target=lambda: rings.append(Keys.load_or_make(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 8
    assert len({ring.ids for ring in rings}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    Keys.load_or_make(tmp_path)
    (tmp_path / FILE).chmod(mode)
    with pytest.raises(KeysInvalid, match="chmod 600"):
        Keys.load_or_make(tmp_path)


def test_a_damaged_key_file_is_never_made_anew(tmp_path: Path) -> None:
    for damaged in (b"", b"nothing", b"\xff\xfe"):
        (tmp_path / FILE).write_bytes(damaged)
        (tmp_path / FILE).chmod(0o600)
        with pytest.raises(KeysInvalid, match="damaged"):
            Keys.load_or_make(tmp_path)
        assert (tmp_path / FILE).read_bytes() == damaged


def test_a_key_file_out_of_reach_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KeysInvalid, match="cannot be used"):
        Keys.load_or_make(tmp_path / "file")


def test_several_lines_are_several_keys(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / FILE, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(descriptor, f"{entry('new', TWO)}\n{entry('old', ONE)}\n".encode())
    os.close(descriptor)
    assert Keys.load_or_make(tmp_path).ids == ("new", "old")


# --- data without its key --------------------------------------------------------------------------------------------


def test_a_sentinel_knows_its_key() -> None:
    verify(RING, sentinel(RING))
    verify(RING, b"")
    with pytest.raises(KeyMissing):
        verify(Keys({"two": TWO}), sentinel(RING))
    with pytest.raises(Undecipherable, match="another key of this id"):
        verify(Keys({"one": TWO}), sentinel(RING))
    for damaged in (b"???", b"AAAA", b"\xff"):
        with pytest.raises(Undecipherable):
            verify(RING, damaged)


async def test_a_store_asks_for_every_key_that_was_ever_first() -> None:
    store = MemoryStore(MemoryData())
    await store.start()
    old, new = Keys({"one": ONE}), Keys({"two": TWO, "one": ONE})
    await check(old, store)
    first = await store.get_meta(META)
    await check(old, store)
    assert await store.get_meta(META) == first
    await check(new, store)
    for lacking in (Keys({"two": TWO}), Keys({"one": ONE})):
        with pytest.raises(KeyMissing):
            await check(lacking, store)
    await check(Keys({"one": ONE, "two": TWO}), store)


class _Slow:
    """Every call of the store lets the others go first."""

    async def before(self, call: str) -> None:
        await asyncio.sleep(0)

    after = before


async def test_of_processes_that_start_at_once_none_loses_its_key() -> None:
    data = MemoryData()
    stores = [MemoryStore(data, hooks=_Slow()) for _ in range(2)]
    for store in stores:
        await store.start()
    rings = (Keys({"one": ONE, "two": TWO}), Keys({"two": TWO, "one": ONE}))
    await asyncio.gather(*(check(ring, store) for ring, store in zip(rings, stores, strict=True)))
    for lacking in (Keys({"two": TWO}), Keys({"one": ONE})):
        with pytest.raises(KeyMissing):
            await check(lacking, stores[0])


async def test_of_processes_that_start_at_once_with_keys_of_their_own_one_is_refused() -> None:
    data = MemoryData()
    stores = [MemoryStore(data, hooks=_Slow()) for _ in range(2)]
    for store in stores:
        await store.start()
    rings = (Keys({"one": ONE}), Keys({"two": TWO}))
    checks = (check(ring, store) for ring, store in zip(rings, stores, strict=True))
    outcomes = await asyncio.gather(*checks, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["KeyMissing", "NoneType"]


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)
