"""Keeping what a worker says about a file short and clean, whatever the file contained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shared.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROBLEMS: Final = 100
MAX_DETAIL: Final = 500
MAX_TEXT: Final = 200
_MORE: Final = "more_problems"
_GRAVEST_FIRST = {severity: rank for rank, severity in enumerate(Severity)}


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """The text on one line, without what cannot be shown or stored, at most ``limit`` characters.

    Control characters (and lone surrogates, which no encoding can carry) become spaces.
    """
    head = text[: limit + 1]  # a hostile file may hand over megabytes
    shown = "".join(c if c.isprintable() else " " for c in head)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def clean_problems(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """At most MAX_PROBLEMS, each clean; when some must go, the gravest stay and a note says so."""
    if len(problems) > MAX_PROBLEMS:
        kept = sorted(problems, key=lambda p: _GRAVEST_FIRST[p.severity])[: MAX_PROBLEMS - 1]
        left_out = len(problems) - len(kept)
        problems = [*kept, _more(left_out)]
    return tuple(clean_problem(problem) for problem in problems)


def clean_problem(problem: Problem) -> Problem:
    """The problem with every text clean."""
    return replace(
        problem,
        code=clean(problem.code),
        detail=clean(problem.detail, MAX_DETAIL),
        location=clean(problem.location),
        spec=clean(problem.spec),
        measured=clean(problem.measured),
        allowed=clean(problem.allowed),
    )


def _more(count: int) -> Problem:
    return Problem(
        code=_MORE, severity=Severity.INFO, detail=f"{count} more problems are not shown."
    )
