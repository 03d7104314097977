"""Inspects one file: what it is, what is wrong with it, and whether it is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.validator import judging
from services.validator.formats.recognise import recognise_source
from services.validator.formats.source import open_source
from services.validator.hashing import md5_of
from services.validator.opinions import ASKED, second_opinions
from services.validator.profile import Profile, UnknownProfileError, load_profile, profile_names
from services.validator.rules.opinions import Comparison
from services.validator.rules.registry import has_errors, judge
from services.validator.verdict import Asked
from shared.problems import Format, Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Profile", "Report", "UnknownProfileError", "inspect", "load_profile", "profile_names"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an inspection: ``recognised`` names the file, ``profile`` the yardstick."""

    accepted: bool
    recognised: str
    profile: str
    format: Format
    problems: tuple[Problem, ...]
    md5: str
    size_bytes: int

    def to_json(self) -> bytes:
        """Return the report as one line of JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Report:
        """Read a report back; raises msgspec.MsgspecError (DecodeError) when it is none."""
        return msgspec.json.decode(data, type=cls)


def inspect(
    path: Path,
    profile: Profile,
    *,
    md5: str | None = None,
    opinions: bool = True,
    asked: Asked | None = None,
) -> Report:
    """Inspect a file, whatever is in it.

    ``md5`` spares the pass over the bytes when the caller has made it; ``opinions`` says whether
    FFmpeg and MediaInfo are asked too, ``asked`` what else to look at. Raises OSError when the
    file cannot be read.
    """
    with open_source(path) as source:
        size = source.size
        recognised = recognise_source(source)
        verdict = judging.judge_source(source, recognised, profile, asked or Asked())
    accepted = not has_errors(verdict.problems)
    problems = list(verdict.problems)
    others = second_opinions(path, recognised.kind) if opinions and recognised.kind in ASKED else ()
    for opinion in others:
        compared = Comparison(atmos=verdict.atmos, accepted=accepted, opinion=opinion)
        problems += judge(compared, profile)
    return Report(
        accepted=accepted,
        recognised=recognised.description,
        profile=profile.name,
        format=verdict.format,
        problems=tuple(problems),
        md5=md5 or md5_of(path)[0],
        size_bytes=size,
    )
