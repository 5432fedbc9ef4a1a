"""What every test shares: the profiles of hypothesis.

`HYPOTHESIS_PROFILE=fixed` (the default) draws the same examples on every machine, so that a change is judged by what
it changed; `explore` draws new ones, many, and prints how to replay a failure. No profile has a deadline: two cores
may be shared.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("fixed", deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "explore", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
