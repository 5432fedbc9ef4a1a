"""`make chaos`: the hub under kill -9 and SIGTERM, then the hub broken on purpose; fails where a promise is broken.

python -m tests.chaos --kills 20 --terms 20    the honest hub so often, then every switch
python -m tests.chaos --switch NAME            one switch alone; --only-switches: all of them, without the honest hub
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from typing import Any

import uvloop

from tests.chaos.plans import Plan, broken, honest, switches
from tests.chaos.run import Result, run
from tests.switches import SWITCHES

_SHOWN = 8


def main() -> int:
    given = _arguments()
    if given.switch:
        plans = [broken(given.switch)]
    else:
        plans = ([] if given.only_switches else honest(given.kills, given.terms)) + switches()
    results = [_one(plan, given.seed) for plan in plans]
    _table(results)
    failed = sum(not result.passed for result in results)
    if given.json:
        print(json.dumps([_row(result) for result in results]))
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--terms", type=int, default=20)
    parser.add_argument("--switch", choices=sorted(SWITCHES))
    parser.add_argument("--only-switches", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the load and the order of the stops")
    parser.add_argument("--json", action="store_true", help="print the results as JSON before the closing line")
    return parser.parse_args()


def _one(plan: Plan, seed: int) -> Result:
    what = f"{plan.name}, broken on purpose" if plan.switch else plan.name
    print(f"{what}: {plan.kills} kills, {plan.terms} SIGTERMs (seed {seed})", flush=True)
    result = uvloop.run(run(plan, seed))
    shown = result.broken if not result.passed else result.found[:1]
    for sentence in shown[:_SHOWN]:
        print(f"  {sentence[:600]}")
    if len(shown) > _SHOWN:
        print(f"  and {len(shown) - _SHOWN} more")
    print(
        f"  {result.calls} calls, {result.requests} requests, {result.seconds:.0f} s; told {result.codes}", flush=True
    )
    return result


def _verdict(result: Result) -> str:
    if result.plan.switch is None:
        return "every promise held" if result.passed else f"FAILED: {len(result.broken)} sentences"
    promises = Counter(sentence[:2] for sentence in result.found)
    times = ", ".join(f"{promise} broken {count} times" for promise, count in sorted(promises.items()))
    return f"found: {times}" if result.passed else "FAILED: it was not found"


def _row(result: Result) -> dict[str, Any]:
    return {
        "run": result.plan.name,
        "passed": result.passed,
        "kills": result.plan.kills,
        "terms": result.plan.terms,
        "least_unsettled": min(result.unsettled, default=0),
        "calls": result.calls,
        "requests": result.requests,
        "marked": round(result.marked, 4),
        "seconds": round(result.seconds, 1),
        "verdict": _verdict(result),
        "broken": result.broken[:50],
    }


def _table(results: list[Result]) -> None:
    head = ("run", "kills", "terms", "unsettled at a kill", "calls", "requests", "marked", "s", "verdict")
    rows = [head]
    for result in results:
        counts, plan = result.unsettled, result.plan
        unsettled = f"{min(counts)} to {max(counts)}" if counts else ""
        figures = (f"{result.marked:.1%}", f"{result.seconds:.0f}", _verdict(result))
        numbers = (str(plan.kills), str(plan.terms), unsettled, str(result.calls), str(result.requests))
        rows.append((plan.name, *numbers, *figures))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
