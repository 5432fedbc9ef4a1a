"""Pages of the lists that the hub itself serves (OCPI 2.2.1, 4.1.4): the query read, a page's headers. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from connectors.errors import InvalidParameters
from hub.edge.reading import query_value
from hub.edge.values import Pairs

UPPER_LIMIT: Final = 100
"""Objects that a page has at most (X-Limit)."""

_LARGEST: Final = 10**12


class Wanted(NamedTuple):
    """What a query asks for: `date_from` inclusive and `date_to` exclusive, in UTC ms; None: not bounded."""

    date_from: float | None
    date_to: float | None
    offset: int
    limit: int

    def within(self, last_updated: float) -> bool:
        """Whether this moment (UTC ms) lies between the dates."""
        return (self.date_from is None or last_updated >= self.date_from) and (
            self.date_to is None or last_updated < self.date_to
        )


def read_wanted(query: str, upper: int = UPPER_LIMIT) -> Wanted:
    """Raises InvalidParameters (2001) naming the parameter that is off."""
    limit = _number(query, "limit", upper)
    if limit == 0:
        raise InvalidParameters("limit is 0: ask for at least one object")
    return Wanted(
        _moment(query, "date_from"), _moment(query, "date_to"), _number(query, "offset", 0), min(limit, upper)
    )


def page_headers(url: str, query: str, wanted: Wanted, *, total: int, upper: int = UPPER_LIMIT) -> Pairs:
    """X-Total-Count, X-Limit, and the Link of the next page, if there is one, with the filters as they came."""
    found: Pairs = (("X-Total-Count", str(total)), ("X-Limit", str(upper)))
    offset = wanted.offset + wanted.limit
    return found if offset >= total else (*found, following(url, query, wanted, offset))


def following(url: str, query: str, wanted: Wanted, offset: int, more: Pairs = ()) -> tuple[str, str]:
    """The Link of the page at `offset`, with the filters as they came, and `more` in its query."""
    own = (("offset", str(offset)), ("limit", str(wanted.limit)), *more)
    names = {name for name, _ in own}
    kept = [quote(part, safe="=&%+-:.~_") for part in query.split("&") if part and part.partition("=")[0] not in names]
    parts = "&".join((*kept, *(f"{name}={value}" for name, value in own)))
    return ("Link", f'<{url}?{parts}>; rel="next"')


def moment(text: str) -> float:
    """An OCPI DateTime as UTC ms; without a designator it is UTC (16.3). Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp() * 1000


def _moment(query: str, name: str) -> float | None:
    text = query_value(query, name)
    if not text:
        return None
    try:
        return moment(text)
    except (ValueError, OverflowError):
        raise InvalidParameters(f"{name} is not a DateTime such as 2026-03-01T10:00:00Z") from None


def _number(query: str, name: str, default: int) -> int:
    text = query_value(query, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text) < _LARGEST):
        raise InvalidParameters(f"{name} is not a whole number of 0 or more")
    return int(text)
