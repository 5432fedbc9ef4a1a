"""A relay as it stands on the log, for tests of the archive."""

from __future__ import annotations

from typing import Any

from routing.exchanges import Exchange
from tests.routing.events import CPO, EMSP

NOW = 1_790_000_000_000


def relay(**over: Any) -> Exchange:
    made = Exchange(
        at=NOW, row="LOC-S2", module="locations", method="GET", path=("loc1", "e"), sender=EMSP, recipient=CPO,
        request_id="r-1", correlation_id="c-1", forwarded_id="f-1", attempts=1, http_status=200, status_code=1000,
        ms=12.5, hub_ms=1.25, outcome="answered", via="to",
    )  # fmt: skip
    return made._replace(**over)
