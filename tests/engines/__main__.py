"""`make engines` and `make engines-stop`: a Kafka and a MongoDB below `.hub/engines`, which stay until stopped.

python -m tests.engines start | stop | status | fetch
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.engines.engine import Engine, EngineFailed
from tests.engines.fetch import NotHere, java, kafka_jars, locked, mongod
from tests.engines.kafka import prepared
from tests.engines.stay import FOLDER, both


def main() -> int:
    """The exit code: 0, or 1 where something was not to be had or did not start."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("what", choices=("start", "stop", "status", "fetch"))
    what = parser.parse_args().what
    try:
        if what == "fetch":
            return _fetch()
        FOLDER.mkdir(parents=True, exist_ok=True)
        with locked(FOLDER / "lock"):
            {"start": _start, "stop": _stop, "status": _status}[what]()
    except (NotHere, EngineFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _fetch() -> int:
    """What the suite needs, before it begins; says nothing where all is there."""
    wish = os.environ.get("HUB_TEST_ENGINES", "auto")
    if wish == "off":
        return 0
    try:
        java()
        kafka_jars()
        mongod()
        prepared(print)
    except NotHere as error:
        if wish == "required":
            raise
        print(f"tests on real engines are left out as far as they cannot be had: {error}")
    return 0


def _start() -> None:
    kafka, mongo = both()
    for engine in (kafka, mongo):
        began, ran = time.monotonic(), engine.running
        print(f"{engine.name} ...", end=" ", flush=True)
        engine.start()
        print("runs already" if ran else f"ready after {time.monotonic() - began:.1f} s", flush=True)
    log, store = f"kafka://{kafka.address}", mongo.uri("ocpi_hub")
    print(
        f"\n  Kafka    {kafka.address}\n  MongoDB  {mongo.address}\n\n"
        "a hub on them (once: topics):\n"
        f"  export HUB_LOG='{log}'\n"
        f"  export HUB_STORE='{store}'\n"
        "  .venv/bin/ocpi-hub topics create --single-node\n"
        "  .venv/bin/ocpi-hub serve\n\n"
        "the suite uses them while they run: make test. To end them: make engines-stop\n"
        f"their data and what they print: {FOLDER}"
    )


def _stop() -> None:
    for engine in both():
        ran = engine.running
        engine.stop()
        print(f"{engine.name} {'is stopped' if ran else 'did not run'}")


def _status() -> None:
    for engine in both():
        print(f"{engine.name} {_state(engine)}")


def _state(engine: Engine) -> str:
    if not engine.running:
        return "does not run"
    return f"runs: {engine.address}" if engine.answers() else f"runs, but does not answer: {engine.address}"


if __name__ == "__main__":
    sys.exit(main())
