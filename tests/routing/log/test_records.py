"""Batches as blobs: what goes in comes out, and the light reader of partitions agrees."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.log.embedded.records import Entry, decode, encode, partitions

HEADERS = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=4).map(tuple)
ENTRIES = st.lists(
    st.builds(Entry, st.integers(0, 65535), st.binary(max_size=30), HEADERS, st.binary(max_size=300)), max_size=8
)


def told(entries: list[Entry]) -> list[tuple[object, ...]]:
    return [(entry.partition, entry.key, entry.headers, entry.value) for entry in entries]


@given(ENTRIES)
def test_decoding_gives_what_was_encoded(entries: list[Entry]) -> None:
    blob = encode(entries)
    assert told(decode(blob)) == told(entries)
    assert list(partitions(blob)) == [entry.partition for entry in entries]


def test_a_blob_that_was_cut_is_said() -> None:
    blob = encode([Entry(1, b"key", (), b"value")])
    for cut in (len(blob) - 1, 5):
        with pytest.raises((ValueError, struct.error)):
            decode(blob[:cut])
