"""Takes one row out of the registry of the hub that starts with this folder on its path; see test_catalogue."""

from __future__ import annotations

import os

from connectors import catalogue

_whole = catalogue.Catalogue.__init__


def _without(self: catalogue.Catalogue, version: str, rows: tuple[catalogue.Row, ...]) -> None:
    gone = os.environ.get("SCENARIO_WITHOUT_ROW")
    _whole(self, version, [row for row in rows if row.id != gone])


catalogue.Catalogue.__init__ = _without  # type: ignore[assignment,method-assign]
