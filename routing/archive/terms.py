"""What an exchange is found by: terms, made in the same way of what stood on the log and of what is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.values import PartyId


def correlation(id: str) -> str:
    return f"c{id}"


def request(id: str) -> str:
    """Of whichever leg."""
    return f"r{id}"


def party(text: str) -> str:
    """Whoever had a part in it: sender, owner, recipient. `NL-TNM`, in upper case."""
    return f"p{text}"


def module(name: str) -> str:
    return f"m{name}"


def about(of: str, id: str) -> str:
    """`of` is its module. Ids of objects are CiStrings."""
    return f"o{of}/{id.upper()}"


def outcome(word: str) -> str:
    """How it ended for somebody: a word of `routing.policy.Outcome`, `failed`, or an OCPI status code."""
    return f"x{word}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; what is empty is not. An object is asked for with its module."""

    correlation: str = ""
    request: str = ""
    module: str = ""
    object: str = ""
    outcome: str = ""
    party: PartyId | None = None

    def terms(self) -> tuple[str, ...]:
        """The rarest first."""
        return tuple(self._terms())

    def _terms(self) -> Iterator[str]:
        if self.correlation:
            yield correlation(self.correlation)
        if self.request:
            yield request(self.request)
        if self.object:
            yield about(self.module, self.object)
        if self.outcome:
            yield outcome(self.outcome)
        if self.party:
            yield party(str(self.party))
        if self.module and not self.object:
            yield module(self.module)
