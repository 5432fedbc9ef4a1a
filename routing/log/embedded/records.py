"""Records as they stand in the file: one blob for each batch that was committed together, of one topic.

A batch is one row because a row a record would make the writer thread give up the interpreter's lock once a record,
and get it back from a busy event loop only after the switch interval each time.

A blob is a sequence of records, little-endian: u16 partition, u16 length of the key, u32 length of the headers,
u32 length of the value; then key, headers, value. A header is u16 length of its name, the name in UTF-8, u32 length of
its value, the value. Offsets are counted from the row's base.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from routing.log.port import Headers

MAX_KEY: Final = 0xFFFF
MAX_NAME: Final = 0xFFFF

_RECORD = struct.Struct("<HHII")
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_names: dict[str, bytes] = {}
_NAMES_KEPT = 1024


class Entry:
    """A record without its place. Not a frozen dataclass: one is made for every record, and that would cost double."""

    __slots__ = ("headers", "key", "partition", "value")

    def __init__(self, partition: int, key: bytes, headers: Headers, value: bytes) -> None:
        self.partition = partition
        self.key = key
        self.headers = headers
        self.value = value


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of one topic with the offsets `base`, `base + 1`, ... `size` is about what they take in memory, bytes."""

    base: int
    append_time: int
    entries: Sequence[Entry]
    size: int

    @property
    def end(self) -> int:
        return self.base + len(self.entries)


def encode(entries: Sequence[Entry]) -> bytes:
    """The blob of these entries. Raises struct.error for a key or a header's name over 65,535 bytes."""
    parts: list[bytes] = []
    add = parts.append
    u32 = _U32.pack
    record = _RECORD.pack
    for entry in entries:
        place = len(parts)
        add(b"")
        add(entry.key)
        size = 0
        for name, value in entry.headers:
            prefix = _names.get(name) or _prefix(name)
            length = len(value)
            add(prefix)
            add(u32(length))
            add(value)
            size += len(prefix) + 4 + length
        value = entry.value
        add(value)
        parts[place] = record(entry.partition, len(entry.key), size, len(value))
    return b"".join(parts)


def decode(blob: bytes) -> list[Entry]:
    """The entries of a blob. What cannot be read of one that is damaged is the value of one entry more, which has no
    key and headers: who reads it sets it aside."""
    entries: list[Entry] = []
    begin, at, end = 0, 0, len(blob)
    try:
        while at < end:
            begin = at
            partition, key_size, headers_size, value_size = _RECORD.unpack_from(blob, at)
            at += _RECORD.size
            key = blob[at : at + key_size]
            at += key_size
            headers = _headers(blob, at, at + headers_size)
            at += headers_size
            if at + value_size > end:
                raise ValueError("it ends in the middle of a record")
            entries.append(Entry(partition, key, headers, blob[at : at + value_size]))
            at += value_size
    except (ValueError, struct.error):
        entries.append(Entry(entries[-1].partition if entries else 0, b"", (), blob[begin:]))
    return entries


def partitions(blob: bytes) -> Iterator[int]:
    """The partition of each entry that `decode` gives, without reading what is in it."""
    at, end, last = 0, len(blob), 0
    while at < end:
        if at + _RECORD.size <= end:
            partition, key_size, headers_size, value_size = _RECORD.unpack_from(blob, at)
            at += _RECORD.size + key_size + headers_size + value_size
            if at <= end:
                yield partition
                last = partition
                continue
        yield last  # the rest of a blob that was cut
        return


def _headers(blob: bytes, at: int, end: int) -> Headers:
    headers = []
    while at < end:
        (size,) = _U16.unpack_from(blob, at)
        at += 2
        name = str(blob[at : at + size], "utf-8")
        at += size
        (size,) = _U32.unpack_from(blob, at)
        at += 4
        headers.append((name, blob[at : at + size]))
        at += size
    return tuple(headers)


def _prefix(name: str) -> bytes:
    encoded = name.encode()
    prefix = _U16.pack(len(encoded)) + encoded
    if len(_names) < _NAMES_KEPT:
        _names[name] = prefix
    return prefix
