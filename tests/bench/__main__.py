"""`python -m tests.bench`: the figures of the Speed tables beside their references; exit code 1 where one is missed."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from dataclasses import replace
from pathlib import Path

import uvloop

from tests.bench.engines import why_not
from tests.bench.figures import FIGURES, ON_ENGINES
from tests.bench.machine import cores
from tests.bench.plan import QUICK, Plan
from tests.bench.report import Result, say, table, write_json
from tests.bench.servers import bench


def main() -> int:
    """The exit code: 0, 1 where a figure was missed or could not be measured, 130 after Ctrl-C."""
    given = _arguments()
    plan = QUICK if given.quick else Plan()
    if given.rounds:
        plan = replace(plan, rounds=given.rounds)
    if given.seconds:
        plan = replace(plan, seconds=given.seconds)
    names, left_out = there(given.only or list(FIGURES))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results, failures = runner.run(_run(names, plan))
    except KeyboardInterrupt:
        say("interrupted; every process was ended")
        return 130
    judged = not given.quick
    say("\n" + table(results, judged=judged))
    for failure in failures:
        say(f"not measured: {failure}")
    if left_out:
        say(left_out)
    if given.json:
        write_json(given.json, results, judged=judged)
    missed = [result.figure for result in results if not result.held]
    required = bool(left_out) and os.environ.get("HUB_TEST_ENGINES") == "required"
    if judged and (missed or failures):
        say(f"\n{len(missed) + len(failures)} missed")
        return 1
    say(_verdict(judged=judged, measured=bool(results), left_out=bool(left_out)))
    return 1 if failures or required else 0


def there(names: list[str]) -> tuple[list[str], str]:
    """Those that can be measured here, and a sentence on those that cannot."""
    needed = [name for name in names if name in ON_ENGINES]
    if not needed:
        return names, ""
    off = os.environ.get("HUB_TEST_ENGINES") == "off"
    why = "HUB_TEST_ENGINES=off; to have them: unset it" if off else why_not()
    if why is None:
        return names, ""
    say(left_out := f"left out, for want of a real Kafka and MongoDB: {', '.join(needed)}: {why}")
    return [name for name in names if name not in needed], left_out


def _verdict(*, judged: bool, measured: bool, left_out: bool) -> str:
    if not measured:
        return "\nnothing was measured"
    if not judged:
        return "\nnot judged (--quick)"
    return "\nevery figure that was measured held; some were left out" if left_out else "\nevery figure held"


async def _run(names: list[str], plan: Plan) -> tuple[list[Result], list[str]]:
    where = cores()
    os.sched_setaffinity(0, where.others)
    gc.freeze()
    say(f"hub and references on core {min(where.tested)}, everything else on {sorted(where.others)}")
    if where.shared:
        say("there is only one core here: load and hub share it, and the figures say little")
    results: list[Result] = []
    failures: list[str] = []
    async with bench(where) as room:
        for name in names:
            try:
                results += await FIGURES[name](room, plan)
            except Exception as error:
                failures.append(f"{name}: {type(error).__name__}: {error}")
                say(failures[-1])
    return results, failures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=sys.modules[__name__].__doc__)
    parser.add_argument("--only", action="append", choices=FIGURES, help="this figure alone; may be given again")
    parser.add_argument("--rounds", type=int, help="rounds of each figure (7)")
    parser.add_argument("--seconds", type=float, help="seconds of each side of a round (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    parser.add_argument("--quick", action="store_true", help="a short look, with a tenth of the store; judges nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
