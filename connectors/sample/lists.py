"""Paged lists of the SENDER interface (OCPI 2.2.1, 4.1.4): filters, X-Total-Count, X-Limit and Link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from connectors.errors import InvalidParameters
from connectors.sample.objects import Object
from connectors.sample.wire import Reply, moment


def page(items: Iterable[Object], query: Mapping[str, str], url: str, upper_limit: int) -> Reply:
    """One page of `items`; `url` is the list's own URL, onto which the Link puts the filters and the next offset.

    Raises InvalidParameters (2001) naming the query parameter that is off.
    """
    offset, limit = _number(query, "offset", 0), min(_number(query, "limit", upper_limit), upper_limit)
    fitting = _between(items, query)
    headers = {"X-Total-Count": str(len(fitting)), "X-Limit": str(upper_limit)}
    if offset + limit < len(fitting) and limit:
        following = {**query, "offset": str(offset + limit), "limit": str(limit)}
        headers["Link"] = f'<{url}?{urlencode(following)}>; rel="next"'
    return Reply(fitting[offset : offset + limit], headers=headers)


def _between(items: Iterable[Object], query: Mapping[str, str]) -> list[Object]:
    chosen = list(items)
    try:
        if date_from := query.get("date_from"):
            first = moment(date_from)
            chosen = [item for item in chosen if moment(item["last_updated"]) >= first]
        if date_to := query.get("date_to"):
            end = moment(date_to)
            chosen = [item for item in chosen if moment(item["last_updated"]) < end]
    except ValueError as error:
        raise InvalidParameters(f"date_from or date_to is no DateTime: {error}") from error
    return chosen


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise InvalidParameters(f"{name}={text} is no whole number of 0 or more")
    return int(text)
