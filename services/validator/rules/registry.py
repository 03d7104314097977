"""The list of rules, and how a subject is judged by them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from shared.problems import Problem, Severity

S = TypeVar("S")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from services.validator.profile import Profile

    Check = Callable[[S, Profile], Iterable["Finding"]]

MAX_FINDINGS = 10
_MAX_TEXT = 300
_MORE = "More of the same kind were found."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule saw: the part of a problem that the rule's own data does not say."""

    detail: str
    location: str = ""
    measured: object = ""
    allowed: object = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what it looks at, its stable code, its usual severity, its clause and its cure.

    ``fix`` is what whoever made the file should do; what the rule means is its check's docstring.
    """

    subject: type
    code: str
    severity: Severity
    spec: str
    fix: str
    check: Callable[[Any, Profile], Iterable[Finding]]

    def problems(self, subject: object, profile: Profile) -> list[Problem]:
        """Return at most MAX_FINDINGS problems, as the profile weighs them."""
        return self.listed(list(islice(self.check(subject, profile), MAX_FINDINGS + 1)), profile)

    def listed(self, findings: list[Finding], profile: Profile) -> list[Problem]:
        """Return findings as problems; past MAX_FINDINGS the last one says that there are more."""
        shown = findings[:MAX_FINDINGS]
        if len(findings) > MAX_FINDINGS:
            shown[-1] = replace(shown[-1], detail=f"{shown[-1].detail} {_MORE}")
        return [self._problem(finding, profile) for finding in shown]

    def _problem(self, finding: Finding, profile: Profile) -> Problem:
        return Problem(
            code=self.code,
            severity=profile.severities.get(self.code, self.severity),
            detail=clean(finding.detail),
            location=clean(finding.location),
            spec=self.spec,
            measured=clean(str(finding.measured)),
            allowed=clean(str(finding.allowed)),
        )


RULES: list[Rule] = []


def rule(
    subject: type[S],
    code: str,
    *,
    spec: str = "",
    fix: str = "",
    severity: Severity = Severity.ERROR,
) -> Callable[[Check[S]], Check[S]]:
    """Register a function as the rule ``code`` for one type of subject.

    Rules for blocks are asked about each one as it is read, all others about a whole.
    """

    def register(check: Check[S]) -> Check[S]:
        RULES.append(
            Rule(subject=subject, code=code, severity=severity, spec=spec, fix=fix, check=check)
        )
        return check

    return register


def judge(subject: object, profile: Profile) -> list[Problem]:
    """Return the problems that all rules for this type of subject find."""
    chosen = (each for each in RULES if isinstance(subject, each.subject))
    return [problem for each in chosen for problem in each.problems(subject, profile)]


def has_errors(problems: list[Problem]) -> bool:
    """Whether one of the problems refuses the master."""
    return any(problem.severity is Severity.ERROR for problem in problems)


def breaks_structure(problems: list[Problem]) -> bool:
    """Whether one of the problems is an error by its own rule too, not by the profile alone.

    What a shop refuses can still be read and listened to; what is broken cannot.
    """
    broken = {each.code for each in RULES if each.severity is Severity.ERROR}
    return has_errors([problem for problem in problems if problem.code in broken])


def clean(text: str) -> str:
    """Make text that may come from a file fit to show: printable and bounded."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_MAX_TEXT])
