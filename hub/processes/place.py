"""The place of one process among several that a supervisor runs: what it is given, as one environment variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import orjson

VARIABLE: Final = "OCPI_HUB_PLACE"


@dataclass(frozen=True, slots=True)
class Place:
    """Number `number` (from 0) of `of`; `orders`, `edge` and `operator` are descriptors that it inherits.

    `orders` is its end of the line to the supervisor. `edge` and `operator` are bound sockets, not yet listening.
    `folder` is the run's: counts and states of all its processes. `member` is its name in the consumer group.
    """

    number: int
    of: int
    orders: int
    edge: tuple[int, ...]
    operator: tuple[int, ...]
    folder: Path
    member: str

    def variable(self) -> dict[str, str]:
        """What the process finds itself by."""
        return {VARIABLE: orjson.dumps(asdict(self), default=str).decode()}

    @classmethod
    def found(cls, environment: Mapping[str, str]) -> Self | None:
        """The place that this process was given; None for one that nobody supervises."""
        text = environment.get(VARIABLE)
        if not text:
            return None
        given = orjson.loads(text)
        return cls(
            number=given["number"],
            of=given["of"],
            orders=given["orders"],
            edge=tuple(given["edge"]),
            operator=tuple(given["operator"]),
            folder=Path(given["folder"]),
            member=given["member"],
        )
