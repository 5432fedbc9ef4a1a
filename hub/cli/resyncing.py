"""`ocpi-hub party resync`: has a party sent everything once more, and shows how far that is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from hub.cli import output
from hub.cli.calling import OperatorApi, party_path

_LOOK_SECONDS: Final = 1.0
_OVER: Final = ("counted", "done", "skipped")


def follow(
    api: OperatorApi, country: str, party: str, modules: Sequence[str], *, since: str, dry_run: bool, wait: bool,
    say: bool,
) -> Any:  # fmt: skip
    """Ask for it, and with `wait` look until all was sent; the rows that tell of it then. Raises CallFailed."""
    body = {"modules": list(modules), "since": since or None, "dry_run": dry_run}
    asked = api.post(party_path(country, party, "resync"), body)
    rows, names = asked["resyncs"], {_name(row) for row in asked["resyncs"]}
    said: dict[str, str] = {}
    while True:
        for row in rows if say else ():
            line = told(row)
            if said.get(_name(row)) != line:
                said[_name(row)] = line
                output.line(f"{row['module']}: {line}")
        if not wait or all(row["state"] in _OVER for row in rows):
            return {**asked, "resyncs": rows}
        time.sleep(_LOOK_SECONDS)
        rows = [row for row in api.get(party_path(country, party))["resyncs"] if _name(row) in names]


def told(row: dict[str, Any]) -> str:
    """How far it is with one module."""
    since = f" that changed since {row['since']}" if row["since"] else ""
    if row["state"] == "counted":
        return f"{row['objects']} objects{since} would be sent"
    skipped = f", {row['skipped']} skipped" if row["skipped"] else ""
    return f"{row['state']}, {row['done']} of {row['objects']} objects{since}{skipped}"


def _name(row: dict[str, Any]) -> str:
    return f"{row['platform']}/{row['module']}"
