"""Hands each file to the family that knows its kind.

A family is imported when a file is handed to it: most of the time of a start is importing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.kinds import CODED, MP4, MPEG_TS, Kind, Recognised
from services.validator.master_types import MasterType
from services.validator.rules.identity import Identity
from services.validator.verdict import Asked, Verdict
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.profile import Profile
    from shared.adm.source import Source

_MOTION_ART = (MasterType.APPLE_MOTION_ART_DESKTOP, MasterType.APPLE_MOTION_ART_MOBILE)


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
        _judge_other(source, recognised, verdict, master_type)
    return verdict


def _is_answer(recognised: Recognised, master_type: MasterType) -> bool:
    """Whether it is what a link gives in place of a file, whatever was declared."""
    if recognised.kind is Kind.TEXT:
        return master_type is not MasterType.SUBTITLES
    return recognised.kind in (Kind.EMPTY, Kind.HTML)


def _judge_other(
    source: Source, recognised: Recognised, verdict: Verdict, master_type: MasterType
) -> None:
    """Judge what is declared to be anything but Dolby Atmos."""
    if master_type is MasterType.SUBTITLES:
        from services.validator.families.subtitles import judge_subtitles as judge
    elif master_type in _MOTION_ART:
        from services.validator.families.motion_art import judge_motion_art as judge
    else:
        from services.validator.families.audio_file import judge_audio_file as judge
    judge(source, recognised, verdict)


def _judge_atmos(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    if recognised.kind is Kind.WAVE:
        from services.validator.families.wave import judge_wave as judge
    elif recognised.container == MP4:
        from services.validator.families.mp4 import judge_mp4 as judge
    elif recognised.container == MPEG_TS:
        from services.validator.families.mpeg_ts import judge_mpeg_ts as judge
    elif recognised.kind in CODED:
        from services.validator.families.codecs import judge_raw as judge
    else:
        verdict.identify(recognised, "")
        return
    judge(source, recognised, verdict)
