"""A page for each code, and the index of them all."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from services.validator.catalogue import Code, codes, families, family, meaning
from services.validator.profile import load_profile, profile_names
from tests.support.docs.markdown import cell, table
from tests.support.docs.masters import report_on
from tests.support.media.broken import all_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.validator.profile import Profile
    from services.validator.rules.registry import Rule
    from shared.problems import Problem
    from tests.support.media.broken import Broken

FOLDER = "codes"
EXAMPLE = "## Example\n"
_NOTE = "<!-- Made by `make docs` from the rules; change those. -->\n"
_INTRODUCTION = """\
{} codes, {} rules. An error refuses the master, a warning and an info do not;
[delivery profiles](../../shared/profiles) may weigh a code differently. Codes are stable: programs
may rely on them.

- [Broken masters](mutations.md): what Stagedoor, MediaInfo and FFmpeg say of a file that breaks
  each rule.
- [Coverage](coverage.md): where the checks of MediaInfo and of delivery checklists are found here.
"""
_VERDICTS = {"error": "refused", "warning": "accepted, with a warning", "info": "accepted"}


def pages(examples: Mapping[str, Broken]) -> dict[str, str]:
    """Return the text of every page by its path; ``examples`` are broken files by their code."""
    known = codes()
    made = {f"{FOLDER}/{name}.md": _page(code, examples.get(name)) for name, code in known.items()}
    return made | {"README.md": _index(known)}


def examples() -> dict[str, Broken]:
    """Return the first broken file of each code."""
    found: dict[str, Broken] = {}
    for broken in all_files():
        found.setdefault(broken.code, broken)
    return found


def _page(code: Code, example: Broken | None) -> str:
    parts = [f"# {code.name}\n", _NOTE, "[All codes](../README.md)\n", *_severity(code)]
    for rule in code.rules:
        parts += _rule(rule, headed=len(code.rules) > 1)
    if example is not None:
        parts += _example(code.name, example)
    return "\n".join(parts)


@cache
def _profiles() -> list[Profile]:
    return [load_profile(name) for name in profile_names()]


def _severity(code: Code) -> list[str]:
    weighed = [f"`{name}`: {said}" for name, said in code.overruled(_profiles()).items()]
    also = f" By delivery profile: {', '.join(weighed)}." if weighed else ""
    return [f"**{code.severity.capitalize()}**: the master is {_VERDICTS[code.severity]}.{also}\n"]


def _rule(rule: Rule, *, headed: bool) -> list[str]:
    parts = [f"## {family(rule).split(': ')[0]}\n"] if headed else []
    parts += [f"{meaning(rule)}\n", f"**What to do.** {rule.fix}\n"]
    if rule.spec:
        parts.append(f"**Specification.** {rule.spec}\n")
    return parts


def _example(code: str, broken: Broken) -> list[str]:
    problem = next(each for each in report_on(broken).problems if each.code == code)
    rows = [(name, cell(text)) for name, text in _fields(problem) if text]
    about = f"A file that is valid but for this ({broken.name}):\n"
    return [EXAMPLE, about, table("| | |", rows)]


def _fields(problem: Problem) -> list[tuple[str, str]]:
    return [
        ("Detail", problem.detail),
        ("Location", problem.location),
        ("Measured", problem.measured),
        ("Allowed", problem.allowed),
    ]


def _index(known: dict[str, Code]) -> str:
    rules = sum(len(code.rules) for code in known.values())
    parts = ["# What the validator finds\n", _NOTE, _INTRODUCTION.format(len(known), rules)]
    for about, grouped in families().items():
        rows = [_row(rule) for rule in grouped]
        parts += [f"## {about}\n", table("| Code | Severity | What it means |", rows)]
    return "\n".join(parts)


def _row(rule: Rule) -> tuple[str, str, str]:
    first = meaning(rule).split("\n\n")[0].replace("\n", " ")
    return f"[{rule.code}]({FOLDER}/{rule.code}.md)", rule.severity, cell(first)
