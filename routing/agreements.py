"""Agreements: who may deal with whom, about what, as rules that an operator writes. Pure.

A rule names a party or any, another party or any, and modules or all, and allows or denies. It holds both ways: an
agreement between two parties is one of both. Of all rules that fit the most specific decides; where none does, the
hub's default.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connectors.values import PartyId

ANY: Final = "any"
"""How the party is written that a rule leaves open."""


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One rule. A party that is None is any; no `modules` are all. `created` is UTC ms.

    Make it with `of`, so that one rule is written in one way only.
    """

    effect: Effect
    one: PartyId | None
    other: PartyId | None
    modules: tuple[str, ...] = ()
    created: int = 0

    @classmethod
    def of(
        cls, effect: Effect, one: PartyId | None, other: PartyId | None, modules: Iterable[str] = (), created: int = 0
    ) -> Agreement:
        """The rule with its parties and modules in order, any last."""
        first, second = sorted((one, other), key=lambda party: (party is None, party or ("", "")))
        return cls(effect, first, second, tuple(sorted(set(modules))), created)

    @property
    def id(self) -> str:
        """What the rule is about: of one id there is one rule, and a later one replaces it."""
        parties = (str(party) if party else ANY for party in (self.one, self.other))
        return "/".join((*parties, ",".join(self.modules) or "*"))

    @property
    def specificity(self) -> tuple[int, bool]:
        """More parties named, then modules named: the greater is the more specific."""
        return (self.one is not None) + (self.other is not None), bool(self.modules)

    def about(self, module: str) -> bool:
        return not self.modules or module in self.modules


_Pair = tuple[PartyId | None, PartyId | None]


class Rules:
    """The rules of a hub, asked by pair and module. `default` is what holds where no rule fits."""

    def __init__(self, agreements: Iterable[Agreement], default: Effect) -> None:
        self.default = default
        self.agreements = tuple(sorted(agreements, key=lambda agreement: agreement.id))
        self._by_pair: dict[_Pair, list[Agreement]] = {}
        for agreement in self.agreements:
            for pair in {(agreement.one, agreement.other), (agreement.other, agreement.one)}:
                self._by_pair.setdefault(pair, []).append(agreement)

    def allows(self, one: PartyId, other: PartyId, module: str) -> bool:
        """Whether these two may deal with each other about this module. Of equally specific rules a denial wins."""
        if not self._by_pair:
            return self.default is Effect.ALLOW
        return self._decide(self._fitting(one, other, module), self.default) is Effect.ALLOW

    def names(self, owner: PartyId, reader: PartyId, module: str) -> bool:
        """Whether a rule gives `reader`, by name, what is not for everyone: another's sessions, what is not published.

        A rule that leaves the reader open, or the hub's default, does not.
        """
        if not self._by_pair:
            return False
        named = [rule for rule in self._fitting(owner, reader, module) if reader in (rule.one, rule.other)]
        return self._decide(named, Effect.DENY) is Effect.ALLOW

    def _fitting(self, one: PartyId, other: PartyId, module: str) -> list[Agreement]:
        pairs: tuple[_Pair, ...] = ((one, other), (one, None), (None, other), (None, None))
        return [rule for pair in pairs for rule in self._by_pair.get(pair, ()) if rule.about(module)]

    @staticmethod
    def _decide(rules: Iterable[Agreement], default: Effect) -> Effect:
        decided, specificity = default, (-1, False)
        for rule in rules:
            if rule.specificity > specificity or (rule.specificity == specificity and rule.effect is Effect.DENY):
                decided, specificity = rule.effect, rule.specificity
        return decided
