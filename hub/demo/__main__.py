"""`python -m hub.demo`: what `make run` runs."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys


def main() -> int:
    """The exit code: 0 after Ctrl-C or SIGTERM, 1 when something kept it from running, 2 for wrong settings."""
    parser = argparse.ArgumentParser(
        prog="make run", description="The hub and two sample parties on this machine, live. Ctrl-C ends everything."
    )
    parser.add_argument("--pace", type=float, default=2.0, help="events a second of the sample parties (2)")
    pace: float = parser.parse_args().pace
    # Until the demo takes the signals over, there is nothing to end but this process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))

    from hub.demo.demo import Demo  # noqa: PLC0415 - takes a while, in which Ctrl-C is no stack trace
    from hub.demo.environment import PortTaken, check_ports, prepare  # noqa: PLC0415

    settings = prepare()
    try:
        check_ports(settings, command="make run")
    except PortTaken as taken:
        print(taken, file=sys.stderr)
        return 1

    async def run() -> int:
        return await Demo(settings, pace=pace).run()

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
