"""Delivery policy as a value: what an operator sets for the hub, a module, a party, or a module of one party. Pure.

Of all policies that fit a delivery the most specific decides, each term for itself; where none has one, the hub's
default. They are part of the directory, so each process has them with it, and each attempt asks anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from connectors.values import Module, PartyId
from routing.agreements import ANY

MOST_ATTEMPTS: Final = 20
MOST_SECONDS: Final = 30.0
"""Of one attempt and of one pause: whatever is unsettled for so long is marked for a resync (see DeliverySettings)."""
LEAST_ATTEMPT: Final = 0.5
LEAST_BACKOFF: Final = 0.05


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a delivery. Seconds, unless said otherwise.

    A broadcast is given up to a resync mark after `attempts`, each of at most `attempt_seconds`; between two the pause
    grows twofold from `backoff_seconds` to `backoff_most_seconds`. `refused_again`: whoever has a caller waiting is
    tried once more if the connection was refused. `policies` are the ids of those that had a say, most specific first.
    """

    attempts: int = 2
    attempt_seconds: float = 10.0
    backoff_seconds: float = 1.0
    backoff_most_seconds: float = 8.0
    refused_again: bool = True
    policies: tuple[str, ...] = ()

    @property
    def by(self) -> str:
        """Whose they are, for people."""
        return ", ".join(f"policy {id}" for id in self.policies) or "the hub's default"


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator set for one scope: `party` None is any, `module` empty is all. A term that is None is not set.

    Make it with `of`, which judges it. `created` is UTC ms.
    """

    party: PartyId | None = None
    module: str = ""
    attempts: int | None = None
    attempt_seconds: float | None = None
    backoff_seconds: float | None = None
    backoff_most_seconds: float | None = None
    refused_again: bool | None = None
    created: int = 0

    @classmethod
    def of(cls, party: PartyId | None = None, module: str = "", *, created: int = 0, **terms: Any) -> Policy:
        """The policy of this scope. Raises ValueError with a sentence for what cannot be meant."""
        policy = cls(party, module.strip().lower(), created=created, **terms)
        if (wrong := _wrong(policy)) is not None:
            raise ValueError(wrong)
        return policy

    @property
    def id(self) -> str:
        """Its scope: of one id there is one policy, and a later one replaces it."""
        return f"{self.party or ANY}/{self.module or '*'}"

    def terms(self) -> dict[str, Any]:
        """Those that it sets."""
        return {name: value for name in NAMES if (value := getattr(self, name)) is not None}


NAMES: Final = tuple(field.name for field in fields(Terms) if field.name != "policies")
"""The terms, as they are called everywhere."""


class Policies:
    """The policies of a hub, asked by recipient and module. `default` is what holds where none says anything."""

    def __init__(self, policies: Iterable[Policy] = (), default: Terms | None = None) -> None:
        self.default = default or Terms()
        self._by_scope = {(policy.party, policy.module): policy for policy in policies}
        self.all = tuple(sorted(self._by_scope.values(), key=lambda policy: policy.id))
        self._known: dict[tuple[PartyId | None, str], Terms] = {}

    def terms(self, party: PartyId | None, module: str) -> Terms:
        """What holds for a delivery of this module to this party."""
        if not self._by_scope:
            return self.default
        known = self._known.get((party, module))
        if known is None:
            known = self._known[(party, module)] = self._resolved(party, module)
        return known

    def about(self, party: PartyId) -> tuple[Policy, ...]:
        """Those that have a say in what this party is sent."""
        return tuple(policy for policy in self.all if policy.party in (None, party))

    def _resolved(self, party: PartyId | None, module: str) -> Terms:
        set_: dict[str, Any] = {}
        said: list[str] = []
        for policy in self._fitting(party, module):
            new = {name: value for name, value in policy.terms().items() if name not in set_}
            if new:
                set_ |= new
                said.append(policy.id)
        return replace(self.default, **set_, policies=tuple(said))

    def _fitting(self, party: PartyId | None, module: str) -> Iterator[Policy]:
        """The most specific first: a party's module, a party, a module, the hub."""
        for scope in dict.fromkeys(((party, module), (party, ""), (None, module), (None, ""))):
            if (policy := self._by_scope.get(scope)) is not None:
                yield policy


def _wrong(policy: Policy) -> str | None:
    """What cannot be meant, as a sentence."""
    if policy.module and policy.module not in frozenset(Module):
        return f"{policy.module[:40]!r} is no module of OCPI's; one of {', '.join(sorted(Module))} belongs there"
    if not policy.terms():
        return f"a policy sets at least one of {', '.join(NAMES)}"
    if policy.attempts is not None and not 1 <= policy.attempts <= MOST_ATTEMPTS:
        return f"attempts is {policy.attempts}; a number of 1 to {MOST_ATTEMPTS} belongs there (1: none is repeated)"
    bounds = (
        ("attempt_seconds", LEAST_ATTEMPT), ("backoff_seconds", LEAST_BACKOFF), ("backoff_most_seconds", LEAST_BACKOFF),
    )  # fmt: skip
    for name, least in bounds:
        value = getattr(policy, name)
        if value is not None and not least <= value <= MOST_SECONDS:
            return f"{name} is {value:g}; seconds of {least:g} to {MOST_SECONDS:g} belong there"
    pause, most = policy.backoff_seconds, policy.backoff_most_seconds
    if pause is not None and most is not None and most < pause:
        return f"backoff_most_seconds ({most:g}) is less than backoff_seconds ({pause:g}), from which it grows"
    return None
