"""AC-4: raw, in MPEG-TS, or as a track. The frames decide; dac4 is compared with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.validator.formats.ac4_dac4 import Dac4, parse_dac4
from services.validator.formats.ac4_presentation import Coding
from services.validator.formats.ac4_stream import Ac4Stream
from services.validator.rules import load
from shared.adm.source import FormatError
from shared.problems import Format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.validator.formats import mp4
    from services.validator.formats.kinds import Recognised
    from services.validator.verdict import Verdict

load("ac4")

AC4_ATMOS, AC4_IMMERSIVE_STEREO = "ac4", "ac4_immersive_stereo"
_STEREO_NAME = "AC-4 immersive stereo, a two-channel rendering of an Atmos master,"
_STEREO_ADVICE = "Deliver the Atmos master that it was made from."


def judge_ac4(
    frames: Iterable[tuple[int, bytes]],
    recognised: Recognised,
    track: mp4.Track | None,
    verdict: Verdict,
) -> None:
    """Judge frames with sync words (no track), or the samples of a track, at their positions."""
    stream = Ac4Stream() if track is None else Ac4Stream(framed=False, dac4=_dac4(track))
    _fill(stream, frames)
    carries = _carries(stream)
    verdict.format = _format(stream, recognised.container)
    if carries == AC4_IMMERSIVE_STEREO:
        recognised = replace(recognised, codec=_STEREO_NAME, advice=_STEREO_ADVICE)
    if stream.frames == 0 or verdict.identify(recognised, carries):
        verdict.judge(stream)


def _fill(stream: Ac4Stream, frames: Iterable[tuple[int, bytes]]) -> None:
    """Take all frames in, up to where the stream is ``broken``."""
    try:
        for position, data in frames:
            stream.add(position, data)
    except FormatError as error:
        stream.broken = error


def _dac4(track: mp4.Track) -> Dac4 | FormatError | None:
    try:
        return parse_dac4(track.config["dac4"]) if "dac4" in track.config else None
    except FormatError as error:
        return error


def _carries(stream: Ac4Stream) -> str:
    if stream.atmos_presentations:
        return AC4_ATMOS
    return AC4_IMMERSIVE_STEREO if Coding.STEREO_FROM_ATMOS in stream.codings else ""


def _format(stream: Ac4Stream, container: str) -> Format:
    return Format(
        container=container,
        codec=f"AC-4 {_name(stream)}".rstrip(),
        sample_rate_hertz=stream.first.sample_rate if stream.first else 0,
        objects=stream.objects,
        duration_seconds=stream.seconds,
    )


def _name(stream: Ac4Stream) -> str:
    """Name the most immersive presentation; plain channels need no name."""
    if Coding.OBJECTS in stream.codings:
        return "A-JOC" if stream.a_joc else "objects"
    if Coding.IMMERSIVE_CHANNELS in stream.codings:
        return "immersive"
    return "immersive stereo" if Coding.STEREO_FROM_ATMOS in stream.codings else ""
