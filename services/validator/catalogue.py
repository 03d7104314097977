"""Every code that a report may hold: what it means, how to mend it, and how grave it is."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.rules import load_all
from services.validator.rules.registry import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.validator.profile import Profile
    from services.validator.rules.registry import Rule
    from shared.problems import Severity


@dataclass(frozen=True, slots=True)
class Code:
    """One code; several rules share it when they look for the same fault in different formats."""

    name: str
    rules: tuple[Rule, ...]

    @property
    def severity(self) -> Severity:
        """How grave it is unless a delivery profile says otherwise."""
        return self.rules[0].severity

    def overruled(self, profiles: Iterable[Profile]) -> dict[str, Severity]:
        """Return the severity in each profile that weighs the code differently, by its name."""
        weighed = {each.name: each.severities.get(self.name) for each in profiles}
        return {name: said for name, said in weighed.items() if said not in (None, self.severity)}


def codes() -> dict[str, Code]:
    """Return all codes by their name, in alphabetical order."""
    load_all()
    named: dict[str, list[Rule]] = {}
    for rule in RULES:
        named.setdefault(rule.code, []).append(rule)
    return {name: Code(name, tuple(named[name])) for name in sorted(named)}


def families() -> Mapping[str, list[Rule]]:
    """Return the rules by what they are about, in the order in which they are asked."""
    load_all()
    grouped: dict[str, list[Rule]] = {}
    for rule in RULES:
        grouped.setdefault(family(rule), []).append(rule)
    return grouped


def family(rule: Rule) -> str:
    """Say what a rule's family is about: the first sentence of its module."""
    text = inspect.getdoc(sys.modules[rule.check.__module__]) or ""
    return text.split("\n")[0].split(". ")[0].removesuffix(".")


def meaning(rule: Rule) -> str:
    """Return what a rule means, as paragraphs: the docstring of its check."""
    return inspect.getdoc(rule.check) or ""
