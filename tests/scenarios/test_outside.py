"""`make scenarios`: the scenarios judge a hub of which only its versions URL and some invitations are known."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from connectors.values import Role
from tests.engines.process import ROOT
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import free_port
from tests.scenarios.outside import Seat, seats
from tests.scenarios.parties import new_party


async def judged(versions_url: str, tokens: str, only: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "PYTEST_"))}
    words = ("--url", versions_url, "--tokens", tokens, "-k", only)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.scenarios.outside", *words, cwd=ROOT, env=kept,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_a_hub_is_judged_by_its_versions_url_and_invitations_alone(make_hub: MakeHub) -> None:
    hub = make_hub()
    with hub:
        tokens = []
        for role in (Role.CPO, Role.EMSP):
            party = new_party()
            tokens.append(f"{party}:{role}:{(await hub.invite((party, role))).token}")
        code, said = await judged(hub.versions_url, ",".join(tokens), "test_routing_headers or test_agreements")
    assert code == 0, said
    assert "held  routing headers: " in said and "engines" not in said
    assert "needs a token for one more EMSP" in said and "asks for what only a hub's operator has" in said
    assert ", 0 did not hold, " in said and not said.endswith("\n0 held")
    assert not any(token.rpartition(":")[2] in said for token in tokens)


async def test_what_does_not_hold_is_said_with_its_reason_and_fails() -> None:
    nobody = f"http://127.0.0.1:{free_port()}/ocpi/versions"
    code, said = await judged(nobody, "NL-TNM:CPO:secret-canary,DE-EMS:EMSP:secret-canary", "direct_legs")
    assert code == 1, said
    assert ("did not hold" in said and "GET http" in said) or "GET versions" in said
    assert "secret-canary" not in said


def test_a_list_of_tokens_that_cannot_be_read_says_which_one_and_shows_none() -> None:
    assert seats("NL-TNM:cpo:a:b, ") == [Seat(("NL", "TNM"), Role.CPO, "a:b")]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="token 2") as error:
        seats("NL-TNM:CPO:secret,secret")
    assert "secret" not in str(error.value)
