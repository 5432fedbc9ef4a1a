"""`python -m tests.chaos.broken --switch NAME`: `ocpi-hub serve`, broken on purpose."""

from __future__ import annotations

import argparse
import sys

from tests.switches import SWITCHES, throw


def main() -> None:
    """Throw the switch, then be the hub."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--switch", required=True, choices=sorted(SWITCHES))
    throw(parser.parse_args().switch)
    from hub.cli.main import main as hub

    sys.argv = ["ocpi-hub", "serve"]
    hub()


if __name__ == "__main__":
    main()
