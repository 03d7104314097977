"""Second opinions: a disagreement is told, and never decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_MOST_TOLD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What another tool says of a file.

    ``tool`` is its name and version, ``format`` and ``commercial_name`` are in its own words;
    ``atmos`` is None when it cannot tell. ``decoded`` and ``failed`` count frames, 0 when it does
    not decode. ``complaints`` is a bounded list of texts, whatever it finds wrong.
    """

    tool: str
    format: str = ""
    commercial_name: str = ""
    atmos: bool | None = None
    decoded: int = 0
    failed: int = 0
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Our verdict beside another tool's."""

    atmos: bool
    accepted: bool
    opinion: Opinion


@rule(
    Comparison,
    "second_opinion_differs",
    severity=Severity.INFO,
    fix="Nothing, as a rule. If a shop refuses the master, compare this tool's words with its own.",
)
def second_opinion_differs(comparison: Comparison, _: Profile) -> Iterator[Finding]:
    """Another tool sees this file otherwise."""
    opinion = comparison.opinion
    tool = opinion.tool.split(" ")[0]
    if opinion.atmos is not None and opinion.atmos != comparison.atmos:
        yield Finding(
            detail=f"{tool} {'sees' if opinion.atmos else 'does not see'} Atmos here.",
            location=tool,
            measured=_word(there=opinion.atmos),
            allowed=_word(there=comparison.atmos),
        )
    if opinion.complaints and comparison.accepted:
        told = "; ".join(opinion.complaints[:_MOST_TOLD])
        more = len(opinion.complaints) - _MOST_TOLD
        yield Finding(
            detail=f"{tool} complains: {told}" + (f" (and {more} more)" if more > 0 else ""),
            location=tool,
        )


def _word(*, there: bool) -> str:
    return "Atmos" if there else "no Atmos"
