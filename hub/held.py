"""How a CDR that the hub holds is named in the Location that its sender gets: as a URL that leads nowhere. Pure.

A Location of the hub leads to a URL below a known origin. What the hub holds is at no URL of anybody's, so its name is
one of the sender's own that nobody has, and that is never asked for.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit

from connectors.values import PartyId
from routing.store.port import CdrKey

_PATH: Final = "%00hub-holds/"


def name(base: str, key: CdrKey) -> str:
    """`base` is a URL of the one who will use it. Raises ValueError for what is none."""
    parts = urlsplit(base)
    if not parts.netloc:
        raise ValueError("there is no URL of the sender's platform")
    named = "/".join(quote(text, safe="", errors="surrogatepass") for text in (*key.owner, *key.recipient, key.cdr_id))
    return f"{parts.scheme}://{parts.netloc}/{_PATH}{named}"


def named(url: str) -> CdrKey | None:
    """The CDR of such a name; None for every other URL."""
    _, found, text = url.partition(f"/{_PATH}")
    if not found:
        return None
    parts = [unquote(part, errors="surrogatepass") for part in text.split("/")]
    if len(parts) != 5:
        return None
    return CdrKey(PartyId(*parts[:2]), parts[4], PartyId(*parts[2:4]))
