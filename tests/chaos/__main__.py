"""`make chaos`: the hub under kill -9, SIGTERM and SIGSTOP, then broken on purpose; fails where a promise is broken.

python -m tests.chaos                          one process on its embedded engine; a fleet on Kafka and MongoDB
python -m tests.chaos --long                   the same, with at least 20 of everything
python -m tests.chaos --only fleet --each 5    one of the two; so much of every kind of trouble
python -m tests.chaos --away                   recipients that are away, hang, reset and flap, alone; a fleet's too
python -m tests.chaos --switch NAME            one switch alone; --only-switches: all of them, without the honest hub

HUB_TEST_ENGINES=required fails where Kafka and MongoDB cannot be had, =off leaves the fleet out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

import uvloop

from tests.chaos import away_run, fleet_run, plans, run
from tests.chaos.plans import Plan
from tests.chaos.report import row, say, table
from tests.chaos.verdict import Result
from tests.engines.fetch import NotHere
from tests.engines.plugin import wish
from tests.switches import AWAY_SWITCHES, SWITCHES

_KILLS = {False: 8, True: 20}
_EACH = {False: 3, True: 20}


def main() -> int:
    """The exit code: 0 where every promise held and every switch was found."""
    given = _arguments()
    results: list[Result] = []
    if given.only != "fleet":
        results += [_embedded(plan, given.seed) for plan in _plans(given)]
    left_out = "" if given.only == "embedded" else uvloop.run(_fleets(_fleet_plans(given), given.seed, results))
    table(results)
    failed = sum(not result.passed for result in results)
    if given.json:
        print(json.dumps([row(result) for result in results]))
    if left_out:
        print(left_out)
        failed += wish() == "required"
    print(f"{sum(result.passed for result in results)} passed, {failed} failed")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="at least 20 of everything")
    parser.add_argument("--only", choices=("embedded", "fleet"))
    parser.add_argument("--away", action="store_true", help="only the runs with recipients that are away")
    parser.add_argument("--kills", type=int, help="of the one process")
    parser.add_argument("--terms", type=int, help="SIGTERMs of the one process")
    parser.add_argument("--each", type=int, help="of every kind of trouble of the fleet")
    parser.add_argument("--switch", choices=sorted(SWITCHES | AWAY_SWITCHES))
    parser.add_argument("--only-switches", action="store_true")
    parser.add_argument("--no-switches", action="store_true", help="the honest hub alone")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the load and the order of the trouble")
    parser.add_argument("--json", action="store_true", help="print the results as JSON before the closing line")
    given = parser.parse_args()
    given.kills = _KILLS[given.long] if given.kills is None else given.kills
    given.terms = _KILLS[given.long] if given.terms is None else given.terms
    given.each = _EACH[given.long] if given.each is None else given.each
    return given


def _plans(given: argparse.Namespace) -> list[Plan]:
    if given.switch:
        return [plans.broken_away(given.switch) if given.switch in AWAY_SWITCHES else plans.broken(given.switch)]
    honest = [] if given.away else plans.honest(given.kills, given.terms)
    broken = [] if given.away else plans.switches()
    names = AWAY_SWITCHES if given.away or given.long else ["no-resync"]
    away, broken_away = plans.away(long=given.long), [plans.broken_away(name) for name in names]
    return ([] if given.only_switches else honest + away) + ([] if given.no_switches else broken + broken_away)


def _fleet_plans(given: argparse.Namespace) -> list[Plan]:
    if given.switch:
        return [] if given.switch in AWAY_SWITCHES else [plans.broken_fleet(given.switch)]
    honest = [] if given.away else plans.fleets(given.each)
    broken = [] if given.away else plans.broken_fleets()
    away = plans.away_fleet(long=given.long) if given.away or given.long else []
    return ([] if given.only_switches else honest + away) + ([] if given.no_switches else broken)


def _embedded(plan: Plan, seed: int) -> Result:
    if plan.away is not None:
        print(f"{plan.what}: {_trouble(plan) or 'no kills'} (seed {seed})", flush=True)
        result = uvloop.run(away_run.single(plan, seed))
    else:
        print(f"{plan.what}: {plan.kills} kills, {plan.terms} SIGTERMs (seed {seed})", flush=True)
        result = uvloop.run(run.run(plan, seed))
    say(result)
    return result


def _trouble(plan: Plan) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in plan.troubles.items())


async def _fleets(wanted: Sequence[Plan], seed: int, results: list[Result]) -> str:
    """Run them on one Kafka and one MongoDB; why they were left out, where they were."""
    if not wanted:
        return ""
    if wish() == "off":
        return "the fleet was left out: HUB_TEST_ENGINES=off; to have it: unset it"
    try:
        async with fleet_run.engines() as (kafka, mongo):
            for of_plan, plan in enumerate(wanted, start=seed):
                print(f"{plan.what}: {_trouble(plan)} (seed {of_plan})", flush=True)
                runs = fleet_run.run if plan.away is None else away_run.fleet
                results.append(await runs(plan, of_plan, kafka, mongo))
                say(results[-1])
    except NotHere as error:
        return f"the fleet was left out: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
