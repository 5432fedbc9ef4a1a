"""`ocpi-hub party pull`: has the lists of a party read, and shows how far that is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from hub.cli import output
from hub.cli.calling import CallFailed, OperatorApi, party_path

FAILURES: Final = 3
"""So often a list fails in a row before nobody waits for it any more."""

_LOOK_SECONDS: Final = 0.5


def follow(api: OperatorApi, country: str, party: str, modules: Sequence[str], *, wait: bool, say: bool) -> Any:
    """Ask for it, and with `wait` look until all was read; what the operator API tells of the party then.

    Raises CallFailed, also where a list cannot be read or nobody is there: the hub goes on trying by itself.
    """
    shown = api.post(party_path(country, party, "pull"), {"modules": list(modules)})
    said: dict[str, str] = {}
    while True:
        rows = [row for row in shown["pulls"] if not modules or row["module"] in modules]
        for row in rows if say else ():
            name, line = f"{row['platform']}/{row['module']}", told(row)
            if said.get(name) != line:
                said[name] = line
                output.line(f"{row['module']}: {line}")
        if not wait or (rows and all(row["state"] == "read" for row in rows)):
            return shown
        hopeless(f"{country}-{party}".upper(), shown["status"], rows)
        time.sleep(_LOOK_SECONDS)
        shown = api.get(party_path(country, party))


def hopeless(party: str, status: str, rows: Sequence[dict[str, Any]]) -> None:
    """Raises CallFailed where waiting is of no use to a person."""
    if status == "OFFLINE":
        raise CallFailed(f"{party} is OFFLINE: its lists are read as soon as it is back (party show)")
    failing = [row for row in rows if row["state"] == "failing" and row["failures"] >= FAILURES]
    if failing and all(row in failing or row["state"] == "read" for row in rows):
        lists = "; ".join(f"{row['module']}: {row['reason']}" for row in failing)
        raise CallFailed(f"not read after {FAILURES} attempts, and tried again now and then (party show): {lists}")


def told(row: dict[str, Any]) -> str:
    """How far a list was read."""
    ended = row["state"] == "read"
    of = f" of {row['total']}" if row["total"] is not None and not ended else ""
    facts = [f"{row['state']}, {row['objects']}{of} objects"]
    for holds, fact in (
        (row["gone"], f"{row['gone']} gone"),
        (row["foreign"], f"{row['foreign']} of others passed over"),
        (row["since"], f"changed since {row['since']}"),
        (ended, f"ended {row['ended']}"),
        (row["failures"] and not ended, f"failed {row['failures']} times: {row['reason']}"),
    ):
        if holds:
            facts.append(fact)
    return ", ".join(facts)
