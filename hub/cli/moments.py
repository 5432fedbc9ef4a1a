"""Moments on the command line: ISO 8601, or so long ago."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

MOMENT: Final = "ISO 8601, or so long ago: 90s, 15m, 2h, 7d."

_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime) -> str:
    """ISO 8601 of a moment that may be given as so long ago; what is neither goes to the hub, which says so."""
    ago = _AGO.fullmatch(text)
    if ago is None:
        return text
    return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).isoformat(timespec="milliseconds")
