"""The URL of an engine: `embedded`, or where Kafka or MongoDB is. Whoever shows it shows no password (promise 11)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

EMBEDDED: Final = "embedded"
HIDDEN: Final = "(not shown)"

_EMBEDDED: Final = frozenset((EMBEDDED, f"{EMBEDDED}:", f"{EMBEDDED}://"))
_SECRET_OPTION: Final = re.compile(
    r"((?:^|[?&;])[^=&;?]*(?:password|secret|token|authmechanismproperties)[^=&;?]*=)[^&;]*", re.IGNORECASE
)


class EngineUrl:
    """Looks like the URL without what is secret in it, whichever way it is printed; `get_secret_value` is all of it."""

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = EMBEDDED if url in _EMBEDDED else url

    @classmethod
    def judged(cls, url: str, schemes: Sequence[str]) -> EngineUrl:
        """Raises ValueError for another scheme than `schemes` and `embedded`; the sentence repeats no secret."""
        made = cls(url)
        if not made.embedded and made.scheme not in schemes:
            wanted = ", ".join(f"{scheme}://..." for scheme in schemes)
            raise ValueError(f"there is no such engine; 'embedded' belongs here, {wanted}, or nothing")
        if not made.embedded and not url.partition("://")[2]:
            raise ValueError(f"where it is belongs behind it: {made.scheme}://host:port")
        return made

    @property
    def embedded(self) -> bool:
        return self._url == EMBEDDED

    @property
    def scheme(self) -> str:
        return self._url.partition(":")[0].lower()

    def get_secret_value(self) -> str:
        """The URL as it was given, user and password included."""
        return self._url

    def __str__(self) -> str:
        return shown(self._url)

    def __repr__(self) -> str:
        return f"EngineUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EngineUrl) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)


def shown(url: str) -> str:
    """A URL without user and password, whatever is wrong with it, and without the values of secret options."""
    before, at, after = url.rpartition("@")
    if at:
        scheme, colon, _ = before.partition("://")
        url = f"{scheme}{colon}{HIDDEN}@{after}" if colon else f"{HIDDEN}@{after}"
    return _SECRET_OPTION.sub(rf"\1{HIDDEN}", url)
