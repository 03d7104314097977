"""AC-4 as a track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats import ac4
from services.validator.formats.source import FormatError
from services.validator.rules.ac4 import Ac4Track
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats import mp4
    from services.validator.formats.recognise import Recognised
    from services.validator.verdict import Verdict

AC4_ATMOS, RAW_AC4 = "ac4", "ac4_raw"


def judge_ac4(recognised: Recognised, track: mp4.Track, verdict: Verdict) -> None:
    """Judge a track by its dac4 box."""
    try:
        dac4 = ac4.parse_dac4(track.config["dac4"]) if "dac4" in track.config else None
    except FormatError as error:
        verdict.judge(Ac4Track(error))
        return
    verdict.format = Format(
        container=recognised.container,
        codec="AC-4",
        sample_rate_hertz=dac4.sample_rate if dac4 else 0,
        duration_seconds=track.duration / track.timescale if track.timescale else 0.0,
    )
    if verdict.judge(Ac4Track(dac4)) and dac4 is not None:
        verdict.identify(recognised, AC4_ATMOS if dac4.is_atmos else "")
