"""Hands each file to the family that knows its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.families.codecs import CODED, judge_pieces
from services.validator.families.mp4 import judge_mp4
from services.validator.families.mpeg_ts import judge_mpeg_ts
from services.validator.families.wave import judge_wave
from services.validator.formats.framing import pieces
from services.validator.formats.recognise import MP4, MPEG_TS, Kind, Recognised
from services.validator.verdict import Asked, Verdict
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats.source import Source
    from services.validator.profile import Profile


def judge_source(source: Source, recognised: Recognised, profile: Profile, asked: Asked) -> Verdict:
    """Judge a file by its structures, and by its samples when they are asked for."""
    seen = Format(container=recognised.container, codec=recognised.codec)
    verdict = Verdict(profile, seen, asked)
    if recognised.kind is Kind.WAVE:
        judge_wave(source, recognised, verdict)
    elif recognised.container == MP4:
        judge_mp4(source, recognised, verdict)
    elif recognised.container == MPEG_TS:
        judge_mpeg_ts(source, recognised, verdict)
    elif recognised.kind in CODED:
        judge_pieces(pieces(source), recognised, verdict)
    else:
        verdict.identify(recognised, "")
    return verdict
