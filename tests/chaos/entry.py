"""`python -m tests.chaos.entry KIND`: `ocpi-hub KIND` as the harness wants it, broken on purpose or telling more.

`--watched` lets a worker print a line whenever it is given partitions: when, on the clock that all processes share,
and which. The harness needs it to say who a former owner is.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from routing.log.port import Assignment
from routing.worker.worker import Worker
from tests.switches import AWAY_SWITCHES, SWITCHES, throw

ASSIGNED = "chaos_assigned"


def main() -> None:
    """Throw the switch, then be the hub."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("serve", "edge", "worker"))
    parser.add_argument("--switch", choices=sorted(SWITCHES | AWAY_SWITCHES))
    parser.add_argument("--watched", action="store_true")
    given = parser.parse_args()
    if given.switch:
        throw(given.switch)
    if given.watched:
        _watch()
    from hub.cli.main import main as hub

    sys.argv = ["ocpi-hub", given.kind]
    hub()


def _watch() -> None:
    before = Worker.assigned

    async def assigned(self: Worker, assignments: Sequence[Assignment]) -> None:
        tps = [list(assignment.tp) for assignment in assignments]
        print(json.dumps({"event": ASSIGNED, "monotonic": time.monotonic(), "tps": tps}), flush=True)
        await before(self, assignments)

    Worker.assigned = assigned  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
