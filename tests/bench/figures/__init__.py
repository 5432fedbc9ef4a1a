"""The figures of the issues' Speed tables, by the names that `--only` takes."""

from __future__ import annotations

from tests.bench.figures.broadcast import broadcast, recipients
from tests.bench.figures.directed import directed
from tests.bench.figures.filled import filled
from tests.bench.figures.relay import relay
from tests.bench.plan import Figure

FIGURES: dict[str, Figure] = {
    "relay": relay,
    "directed": directed,
    "broadcast": broadcast,
    "recipients": recipients,
    "filled": filled,
}
