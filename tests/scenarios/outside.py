"""The scenarios against a hub that is somebody else's: `make scenarios URL=... TOKENS=...`.

    URL      the versions URL of the hub
    TOKENS   an invitation (TOKEN_A) for each party, as COUNTRY-PARTY:ROLE:TOKEN, with commas between; three CPOs and
             three EMSPs have every scenario run that needs no operator
    PARTY    the hub party (NL-HUB)
    HOST     the address that the parties listen on (127.0.0.1), NAME the one that the hub reaches them by (HOST)

Each party registers once. Every scenario then has it on a new port, told to the hub by PUT credentials, and what it
was given is handed on to the next one. What only the operator of our own hub can do is left out, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import pytest

from connectors.sample import Peer, SamplePlatform, sample_cpo, sample_emsp
from connectors.values import PartyId, Role
from tests.scenarios.parties import Parties

URL: Final = "SCENARIOS_URL"
TOKENS: Final = "SCENARIOS_TOKENS"
PARTY: Final = "SCENARIOS_PARTY"
HOST: Final = "SCENARIOS_HOST"
NAME: Final = "SCENARIOS_NAME"
_REGISTER_SECONDS: Final = 30.0
_MAKES: Final = {Role.CPO: sample_cpo, Role.EMSP: sample_emsp}


@dataclass(slots=True)
class Seat:
    """One party at the hub: its invitation, and once it has registered what both sides gave each other."""

    party: PartyId
    role: Role
    token: str = field(repr=False)
    issued: list[str] = field(default_factory=list, repr=False)
    peer: Peer | None = field(default=None, repr=False)
    taken: bool = False
    ended: bool = False
    """A scenario ended its registration, and its invitation is spent."""


class Outside:
    """A hub of which only its versions URL and some invitations are known."""

    running = False
    """Nothing is to be tidied up through its operator."""

    def __init__(self, versions_url: str, seats: list[Seat]) -> None:
        self.versions_url = versions_url
        self.seats = seats

    @property
    def public_url(self) -> str:
        """The base of its URLs, where it serves `/ocpi/versions` as ours does."""
        base, found, _ = self.versions_url.partition("/ocpi/versions")
        return base if found else self.__getattr__("public_url")

    @property
    def port(self) -> int:
        """For what is written on a bare connection, to this machine only."""
        at = urlsplit(self.versions_url)
        local = at.scheme == "http" and at.hostname in ("127.0.0.1", "localhost")
        return at.port or 80 if local else self.__getattr__("port")

    def __getattr__(self, name: str) -> NoReturn:
        pytest.skip(f"asks for what only a hub's operator has ({name})")


def seats(tokens: str) -> list[Seat]:
    """The seats that a list of tokens gives. Raises ValueError with a sentence that does not show them."""
    found = []
    for number, entry in enumerate((one for one in tokens.split(",") if one.strip()), start=1):
        party, _, rest = entry.strip().partition(":")
        role, _, token = rest.partition(":")
        if not token or role.upper() not in {made.value for made in _MAKES}:
            raise ValueError(f"token {number} is not COUNTRY-PARTY:CPO:TOKEN or COUNTRY-PARTY:EMSP:TOKEN")
        found.append(Seat(PartyId.of(*party.split("-", 1)), Role(role.upper()), token))
    return found


def outside() -> Outside | None:
    """The hub that the environment names, None without one."""
    url = os.environ.get(URL)
    return Outside(url, seats(os.environ.get(TOKENS, ""))) if url else None


class Guests(Parties):
    """Parties at a hub from outside: those that there are seats for."""

    def __init__(self, hub: Outside) -> None:
        super().__init__(hub)  # type: ignore[arg-type]
        self._outside = hub
        self._seated: list[tuple[SamplePlatform, Seat]] = []

    async def cpo(self, **options: Any) -> SamplePlatform:
        return await self._sit(Role.CPO, options)

    async def emsp(self, **options: Any) -> SamplePlatform:
        return await self._sit(Role.EMSP, options)

    async def join(self, platform: SamplePlatform) -> SamplePlatform:
        pytest.skip("asks for an invitation of parties of its own")

    async def close(self) -> None:
        for platform, seat in self._seated:
            seat.issued, seat.peer = list(platform.connection.issued), platform.connection.peer
            seat.taken, seat.ended = False, seat.peer is None
        await super().close()

    async def _sit(self, role: Role, options: dict[str, Any]) -> SamplePlatform:
        if options.get("told"):
            pytest.skip("asks for parties that the hub has told of nobody yet")
        free = [seat for seat in self._outside.seats if seat.role is role and not (seat.taken or seat.ended)]
        if not free:
            pytest.skip(f"needs a token for one more {role}")
        host = os.environ.get(HOST) or "127.0.0.1"
        name = os.environ.get(NAME) or host
        seat = free[0]
        seat.taken = True
        platform = await self.start(_MAKES[role](seat.party, host=host, name=name, **options))
        async with asyncio.timeout(_REGISTER_SECONDS):
            if seat.peer is None:
                await platform.register(self._outside.versions_url, seat.token)
            else:
                platform.connection.issued, platform.connection.peer = list(seat.issued), seat.peer
                await platform.connection.rotate()
        self._seated.append((platform, seat))
        return platform


# --- the table -------------------------------------------------------------------------------------------------------


class Table:
    """A plugin of pytest's: runs what a hub from outside can be judged by, and prints what held."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kept = [item for item in items if "parties" in getattr(item, "fixturenames", ()) and _once(item)]
        items[:] = sorted(kept, key=lambda item: "registration" in item.nodeid)  # some of these end registrations

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            said = {"passed": "held", "skipped": "left out"}.get(report.outcome, "did not hold")
            self.rows.append((_spoken(report.nodeid), said, _why(report)))
            print(f"{said:>13}  {_spoken(report.nodeid)}", flush=True)

    def print(self) -> None:
        counts = {said: sum(row[1] == said for row in self.rows) for said in ("held", "did not hold", "left out")}
        for said in ("left out", "did not hold"):
            rows = [row for row in self.rows if row[1] == said]
            if rows:
                print(f"\n{said}:")
            for why, names in _by_reason(rows).items():
                print(f"  {why}")
                print("".join(f"      {name}\n" for name in names), end="")
        print("\n" + ", ".join(f"{number} {said}" for said, number in counts.items()))

    @property
    def all_held(self) -> bool:
        return any(row[1] == "held" for row in self.rows) and all(row[1] != "did not hold" for row in self.rows)


def _once(item: pytest.Item) -> bool:
    """What stands behind a hub from outside is its own affair: nothing is run a second time for our engines."""
    case = getattr(item, "callspec", None)
    return case is None or case.params.get("backing") != "engines"


def _by_reason(rows: list[tuple[str, str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, _, why in rows:
        found.setdefault(why, []).append(name)
    return found


def _spoken(nodeid: str) -> str:
    """`tests/scenarios/test_broadcast.py::test_this_holds[x]` in words."""
    file, _, name = nodeid.rpartition("::")
    about = file.rpartition("/")[2].removeprefix("test_").removesuffix(".py")
    name, _, case = name.partition("[")
    case = case.removesuffix("]").removeprefix("embedded").removeprefix("-")
    return f"{about}: {name.removeprefix('test_')}".replace("_", " ") + (f" [{case}]" if case else "")


def _why(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash is not None else report.longrepr or "").splitlines()
    return lines[0][:300] if lines else "no reason given"


def main() -> int:
    """0: everything that was tried held."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.outside", description=__doc__.partition("\n")[0])
    parser.add_argument("--url", required=True, help="the versions URL of the hub")
    parser.add_argument("--tokens", required=True, help="COUNTRY-PARTY:ROLE:TOKEN,...")
    parser.add_argument("--party", default="NL-HUB", help="the hub party")
    parser.add_argument("--host", default="127.0.0.1", help="the address that the parties listen on")
    parser.add_argument("--name", help="the address that the hub reaches them by")
    parser.add_argument("-k", dest="only", default="", help="only the scenarios whose names have this")
    given = parser.parse_args()
    try:
        seats(given.tokens)
    except ValueError as error:
        parser.error(str(error))
    os.environ |= {URL: given.url, TOKENS: given.tokens, PARTY: given.party, HOST: given.host}
    os.environ[NAME] = given.name or given.host
    table = Table()
    words = ["tests/scenarios", "-p", "no:cacheprovider", "-p", "no:terminal", "-n", "0", "-k", given.only]
    pytest.main(words, plugins=[table])
    table.print()
    return int(not table.all_held)


if __name__ == "__main__":
    sys.exit(main())
