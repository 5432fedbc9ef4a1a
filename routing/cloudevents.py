"""What every record that others may read has in its headers: CloudEvents 1.0, Kafka protocol binding, binary mode.

The source says which kind of thing an id belongs to, so that source and id together are no other event's. There is no
`time`: the time of a record is the log's own, and when a push was accepted stands in its envelope.
"""

from __future__ import annotations

from typing import Final

from routing.log.port import Headers

Header = tuple[str, bytes]

SPECVERSION: Final[Header] = ("ce_specversion", b"1.0")
JSON: Final[Header] = ("content-type", b"application/json")

PUSHES: Final = "/ocpi-hub/pushes"
READS: Final = "/ocpi-hub/reads"
AGAIN: Final = "/ocpi-hub/again"
OUTCOMES: Final = "/ocpi-hub/outcomes"
RESYNCS: Final = "/ocpi-hub/resyncs"
EXCHANGES: Final = "/ocpi-hub/exchanges"


def source(name: str) -> Header:
    """The header of one of the sources above."""
    return ("ce_source", name.encode())


def attributes(id: str, *, source: Header, type: Header) -> Headers:
    """The headers of a record whose data is JSON."""
    return (SPECVERSION, ("ce_id", id.encode()), source, type, JSON)
