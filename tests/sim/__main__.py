"""`python -m tests.sim --seeds 10000`: as many seeded runs as one likes; a failing seed is printed and replays."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.sim.schedule import run


def _one(seed: int) -> tuple[int, list[str]]:
    return seed, run(seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, help="replay this one only")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds) if given.seed is None else range(given.seed, given.seed + 1)
    started, failed = time.monotonic(), 0
    with ProcessPoolExecutor(given.jobs) as pool:
        for number, (seed, broken) in enumerate(pool.map(_one, seeds, chunksize=16), 1):
            if broken:
                failed += 1
                print(f"seed {seed} (replay: python -m tests.sim --seed {seed})")
                for sentence in broken[:5]:
                    print(f"  {sentence}")
            if number % 500 == 0:
                print(
                    f"{number} of {len(seeds)} seeds, {failed} failed, {time.monotonic() - started:.0f} s", flush=True
                )
    print(f"{len(seeds)} seeds in {time.monotonic() - started:.1f} s: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
