"""Keeping what a worker says about a file short and clean, whatever the file contained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from shared.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROBLEMS: Final = 100
MAX_DETAIL: Final = 500
MAX_TEXT: Final = 200
MAX_REPORT_BYTES: Final = 256 * 1024
"""Of a validation report as gzip'd JSON."""
_MORE: Final = "more_problems"
_log = structlog.get_logger(__name__)
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


def small_report(report: bytes) -> bytes:
    """The report, or nothing in the place of one that is too large: the verdict counts without."""
    if len(report) <= MAX_REPORT_BYTES:
        return report
    _log.warning("report_dropped", size_bytes=len(report), most=MAX_REPORT_BYTES)
    return b""


def _more(count: int) -> Problem:
    return Problem(
        code=_MORE, severity=Severity.INFO, detail=f"{count} more problems are not shown."
    )
