"""The doctor beside a hub that runs: nothing is wrong, and the hub is found by its public URL."""

from __future__ import annotations

import orjson

from tests.scenarios.hub import RunningHub


async def test_nothing_is_wrong_with_a_hub_that_runs(hub: RunningHub) -> None:
    code, out, err = await hub.cli("doctor", "--json")
    told = orjson.loads(out)
    states = {(one["what"], one["state"]) for one in told["findings"]}
    assert (code, err, told["healthy"]) == (0, "", True), told
    assert {("hub", "right"), ("operator key", "right"), ("keys", "right"), ("public URL", "right")} <= states
    assert ("clock", "right") in states
    code, out, _ = await hub.cli("settings", "check", "--json")
    assert (code, orjson.loads(out)["wrong"]) == (0, [])
