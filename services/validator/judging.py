"""Hands each file to the family that knows its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.families.audio_file import judge_audio_file
from services.validator.families.codecs import CODED, judge_pieces
from services.validator.families.motion_art import judge_motion_art
from services.validator.families.mp4 import judge_mp4
from services.validator.families.mpeg_ts import judge_mpeg_ts
from services.validator.families.subtitles import judge_subtitles
from services.validator.families.wave import judge_wave
from services.validator.formats.framing import pieces
from services.validator.formats.recognise import MP4, MPEG_TS, Kind, Recognised
from services.validator.master_types import MasterType
from services.validator.rules.identity import Identity
from services.validator.verdict import Asked, Verdict
from shared.problems import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.validator.formats.source import Source
    from services.validator.profile import Profile


_FAMILIES: dict[MasterType, Callable[[Source, Recognised, Verdict], None]] = {
    MasterType.CD: judge_audio_file,
    MasterType.HD: judge_audio_file,
    MasterType.AUDIO_TRACK: judge_audio_file,
    MasterType.APPLE_MOTION_ART_DESKTOP: judge_motion_art,
    MasterType.APPLE_MOTION_ART_MOBILE: judge_motion_art,
    MasterType.SUBTITLES: judge_subtitles,
}


def judge_source(source: Source, recognised: Recognised, profile: Profile, asked: Asked) -> Verdict:
    """Judge a file by its structures, and by its samples when they are asked for.

    Raises ValueError when the master type is not known.
    """
    seen = Format(container=recognised.container, codec=recognised.codec)
    verdict = Verdict(profile, seen, asked)
    master_type = MasterType(asked.master_type)
    if master_type is MasterType.DOLBY_ATMOS:
        _judge_atmos(source, recognised, verdict)
    elif _is_answer(recognised, master_type):
        verdict.judge(Identity(recognised))
    else:
        _FAMILIES[master_type](source, recognised, verdict)
    return verdict


def _is_answer(recognised: Recognised, master_type: MasterType) -> bool:
    """Whether it is what a link gives in place of a file, whatever was declared."""
    if recognised.kind is Kind.TEXT:
        return master_type is not MasterType.SUBTITLES
    return recognised.kind in (Kind.EMPTY, Kind.HTML)


def _judge_atmos(source: Source, recognised: Recognised, verdict: Verdict) -> None:
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
