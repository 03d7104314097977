"""Apple motion art: silent loops in MP4 or QuickTime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.iso_video import read_movie
from services.validator.formats.kinds import MP4
from services.validator.rules.delivery import Misdeclared
from services.validator.rules.motion_art import MotionArt, codec_name
from shared.adm.source import FormatError
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats.kinds import Recognised
    from services.validator.verdict import Verdict
    from shared.adm.source import Source


def judge_motion_art(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a file that is declared as motion art, of either size."""
    master_type = verdict.asked.master_type
    if recognised.container != MP4:
        verdict.judge(Misdeclared(recognised, master_type, "an MP4 or MOV file"))
        return
    try:
        art = MotionArt(read_movie(source), master_type)
    except FormatError as error:
        art = MotionArt(error, master_type)
    if art.video:
        verdict.format = Format(
            container=MP4,
            codec=codec_name(art.video.codec),
            duration_seconds=art.video.seconds,
        )
    verdict.judge(art)
