"""Counts of several processes on one machine: a file for each, mapped into memory, in a folder that they share.

Counting is a write to memory; what a process counted outlives its kill, and whoever is asked sums all of them. A file
is held by a lock for as long as its process lives; the next process to start goes on with one that nobody holds, so
there are never more than processes were at once. Beside it stands its index: a line of JSON for each label set,
written before its first number is.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from itertools import count
from pathlib import Path
from typing import Final, cast

import orjson
import structlog

from hub.counts import Family, Key, Labels

log = structlog.get_logger(__name__)

SIZE: Final = 2**20
"""Bytes of a file, all of them there from the start: 131,072 numbers, more than all bounded label sets take."""

_NUMBER: Final = 8
_INDEX: Final = ".index"


class FileCounts:
    """The counts of this process in `folder`. Raises OSError when made where that cannot be written."""

    def __init__(self, folder: Path, *, size: int = SIZE) -> None:
        self._folder = folder
        self._size = size
        self._path, self._file = _free_file(folder, size)
        self._index = os.open(self._path.with_suffix(_INDEX), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._slots: dict[Key, int] = {}
        self._next = 1  # the first number is nobody's: it takes what finds no room
        for key, at in _entries(self._whole_lines()):
            self._slots[key] = at
            self._next = max(self._next, at + key.width)
        self._numbers = memoryview(mmap.mmap(self._file, size)).cast("d")
        self.values = cast(MutableSequence[float], self._numbers)

    def slot(self, family: Family, labels: Labels) -> int:
        key = Key(family.name, labels, family.width)
        found = self._slots.get(key)
        if found is not None:
            return found
        at = self._next
        if (at + key.width) * _NUMBER > self._size:
            log.error("counts_full", family=family.name)
            return 0
        self._next += key.width
        os.write(self._index, orjson.dumps([key.name, key.labels, key.width, at]) + b"\n")
        self._slots[key] = at
        return at

    def close(self) -> None:
        """What was counted stays; the next process goes on with it."""
        self._numbers.release()
        os.close(self._index)
        os.close(self._file)

    def read(self) -> Mapping[Key, Sequence[float]]:
        return read_folder(self._folder)

    def _whole_lines(self) -> bytes:
        """The index without a line that its process was killed over; nothing was counted under that yet."""
        content = self._path.with_suffix(_INDEX).read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.ftruncate(self._index, len(whole))
        return whole


def read_folder(folder: Path) -> dict[Key, list[float]]:
    """The sums over every process that counts, or ever counted, in this folder."""
    sums: dict[Key, list[float]] = {}
    for path in sorted(folder.glob(f"*{_INDEX}")):
        content = path.read_bytes()
        with (
            path.with_suffix("").open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as raw,
            raw.cast("d") as numbers,
        ):
            for key, at in _entries(content[: content.rfind(b"\n") + 1]):
                known = sums.setdefault(key, [0.0] * key.width)
                for place in range(key.width):
                    known[place] += numbers[at + place]
    return sums


def _entries(index: bytes) -> Iterator[tuple[Key, int]]:
    for line in index.splitlines():
        name, labels, width, at = orjson.loads(line)
        yield Key(name, tuple(labels), width), at


def _free_file(folder: Path, size: int) -> tuple[Path, int]:
    """A file that no living process counts in, made if need be, and held from now on by its descriptor."""
    for number in count():
        path = folder / f"counts-{number}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        try:
            os.posix_fallocate(file, 0, size)  # a page that finds no room later would end the process
        except OSError:
            os.close(file)
            raise
        return path, file
    raise AssertionError("unreachable")
