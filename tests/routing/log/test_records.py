"""Batches as blobs: what goes in comes out, and the light reader of partitions agrees."""

from __future__ import annotations

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


@given(ENTRIES.filter(bool), st.data())
def test_of_a_blob_that_was_cut_all_whole_entries_are_read_and_the_rest_is_one_more(
    entries: list[Entry], data: st.DataObject
) -> None:
    blob = encode(entries)
    cut = data.draw(st.integers(1, len(blob) - 1))
    found = decode(blob[:cut])
    assert list(partitions(blob[:cut])) == [entry.partition for entry in found]
    whole = [number for number in range(len(entries) + 1) if len(encode(entries[:number])) <= cut][-1]
    assert told(found[:whole]) == told(entries[:whole])
    rest = blob[len(encode(entries[:whole])) : cut]
    assert [(entry.key, entry.headers, entry.value) for entry in found[whole:]] == ([(b"", (), rest)] if rest else [])
    assert {entry.partition for entry in found[whole:]} <= {entries[whole - 1].partition if whole else 0}


def test_a_header_that_is_no_text_leaves_what_was_before_it() -> None:
    good, bad = encode([Entry(3, b"key", (), b"value")]), encode([Entry(1, b"key", (("name", b"1"),), b"")])
    spoiled = bad.replace(b"name", b"\xff\xfe\xff\xff")
    assert told(decode(good + spoiled)) == [(3, b"key", (), b"value"), (3, b"", (), spoiled)]
