"""Second opinions: a disagreement is told, and never decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What another tool says: is it Atmos (None when it cannot tell), and what it complains of."""

    tool: str
    atmos: bool | None = None
    complaint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Our verdict beside another tool's."""

    atmos: bool
    accepted: bool
    opinion: Opinion


@rule(Comparison, "second_opinion_differs", severity=Severity.INFO)
def second_opinion_differs(comparison: Comparison, _: Profile) -> Iterator[Finding]:
    """Another tool sees this file otherwise."""
    opinion = comparison.opinion
    if opinion.atmos is not None and opinion.atmos != comparison.atmos:
        yield Finding(
            detail=f"{opinion.tool} {'sees' if opinion.atmos else 'does not see'} Atmos here.",
            location=opinion.tool,
            measured=_word(there=opinion.atmos),
            allowed=_word(there=comparison.atmos),
        )
    if opinion.complaint and comparison.accepted:
        yield Finding(
            detail=f"{opinion.tool} complains: {opinion.complaint}", location=opinion.tool
        )


def _word(*, there: bool) -> str:
    return "Atmos" if there else "no Atmos"
