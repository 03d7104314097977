"""Inspects one file: what it is, what is wrong with it, and whether it is accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from services.validator import judging
from services.validator.formats.recognise import recognise_source
from services.validator.master_types import MasterType
from services.validator.opinions import ASKED, second_opinions
from services.validator.profile import (
    BrokenProfileError,
    Profile,
    UnknownProfileError,
    load_profile,
    profile_names,
)
from services.validator.programme import programme_of
from services.validator.report import MAX_PROBLEMS, Audio, Report, gravest_first
from services.validator.rules.opinions import Comparison
from services.validator.rules.registry import has_errors, judge
from services.validator.verdict import Asked, unheard
from shared.adm.source import open_source
from shared.hashing import md5_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.validator.formats.recognise import Recognised
    from services.validator.rules.opinions import Opinion
    from services.validator.verdict import Verdict
    from shared.problems import Format, Problem

__all__ = [
    "BrokenProfileError",
    "MasterType",
    "Profile",
    "Report",
    "UnknownProfileError",
    "inspect",
    "load_profile",
    "profile_names",
]

_INT32_MAX = 0x7FFFFFFF
_TOOLS = 2


def unwanted(_: Report) -> None:
    """Nobody wants the report before it is whole."""


def inspect(
    path: Path,
    profile: Profile,
    *,
    master_type: str = MasterType.DOLBY_ATMOS,
    md5: str | None = None,
    opinions: bool = True,
    audio: bool = True,
    stereo_seconds: float | None = None,
    on_progress: Callable[[str, int, int], None] = unheard,
    on_report: Callable[[Report], None] = unwanted,
) -> Report:
    """Inspect a file, whatever is in it.

    ``md5`` spares the pass over the bytes when the caller has made it; ``opinions`` says whether
    FFmpeg and MediaInfo are asked too, ``audio`` whether the samples are measured,
    ``stereo_seconds`` how long the track's stereo version is. ``on_progress`` is told the step
    ("structure", "audio", "md5", "opinions"), how much of it is done, and of how much.
    ``on_report`` is given our own word before another tool is asked, as one may never answer.
    Raises OSError when the file cannot be read, ValueError when the master type is not known.
    """
    asked = Asked(
        master_type=master_type,
        audio=audio,
        stereo_seconds=stereo_seconds,
        on_progress=on_progress,
    )
    on_progress("structure", 0, 1)
    with open_source(path) as source:
        size = source.size
        recognised = recognise_source(source)
        verdict = judging.judge_source(source, recognised, profile, asked)
    report = Report(
        accepted=not has_errors(verdict.problems),
        recognised=recognised.description,
        profile=profile.name,
        master_type=str(master_type),
        format=_servable(verdict.format),
        problems=_bounded(verdict.problems),
        md5=md5 or _md5(path, size, on_progress),
        size_bytes=size,
        programme=programme_of(verdict.master, verdict.paths) if verdict.master else None,
        audio=Audio.of(verdict.measured) if verdict.measured else None,
        validator=_version(),
    )
    if not (opinions and verdict.readable):
        return report
    on_report(report)
    others = _others(path, recognised, on_progress)
    compared = [_compare(verdict, each, accepted=report.accepted) for each in others]
    problems = [*verdict.problems, *(problem for each in compared for problem in each)]
    return msgspec.structs.replace(report, problems=_bounded(problems), opinions=others)


def _version() -> str:
    # It loads a parser of mail, so not before it is needed.
    from importlib.metadata import version

    return version("stagedoor")


def _others(
    path: Path, recognised: Recognised, on_progress: Callable[[str, int, int], None]
) -> tuple[Opinion, ...]:
    """Ask the other tools about a file that they know."""
    if recognised.kind not in ASKED:
        return ()
    heard = []
    on_progress("opinions", 0, _TOOLS)
    for opinion in second_opinions(path, recognised.kind):
        heard.append(opinion)
        on_progress("opinions", len(heard), _TOOLS)
    return tuple(heard)


def _compare(verdict: Verdict, opinion: Opinion, *, accepted: bool) -> list[Problem]:
    compared = Comparison(atmos=verdict.atmos, accepted=accepted, opinion=opinion)
    return judge(compared, verdict.profile)


def _md5(path: Path, size: int, on_progress: Callable[[str, int, int], None]) -> str:
    def on_bytes(done: int) -> bool:
        on_progress("md5", done, size)
        return True

    return md5_of(path, on_bytes)[0]


def _bounded(problems: list[Problem]) -> tuple[Problem, ...]:
    """Keep the gravest when there are too many for a report."""
    if len(problems) <= MAX_PROBLEMS:
        return tuple(problems)
    return gravest_first(problems)[:MAX_PROBLEMS]


def _servable(seen: Format) -> Format:
    """Keep a rate that no file can have inside of what the contract carries."""
    return replace(seen, sample_rate_hertz=min(seen.sample_rate_hertz, _INT32_MAX))
