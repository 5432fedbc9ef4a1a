"""What every test shares: the real engines (tests/engines), and the profiles of hypothesis.

`HYPOTHESIS_PROFILE=fixed` (the default) draws the same examples on every machine, so that a change is judged by what
it changed; `explore` draws new ones, many, and prints how to replay a failure. No profile judges by the clock: the
cores may be shared.
"""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.engines.plugin"]

CLOCKLESS = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("fixed", CLOCKLESS, derandomize=True)
settings.register_profile("explore", CLOCKLESS, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_collection_finish() -> None:
    """Thousands of tests and all that they import are there to stay: to look through them again and again for garbage
    is a tenth of what the simulations cost. Still seldomer costs more again: what is looked through has grown cold."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(25_000, 20, 50)
