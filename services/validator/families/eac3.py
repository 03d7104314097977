"""E-AC-3 with Atmos, raw or as a track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.dec3 import Dec3, parse_dec3
from services.validator.formats.eac3_stream import Eac3Stream, read_stream
from services.validator.formats.source import FormatError, Source
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats import mp4
    from services.validator.formats.recognise import Recognised
    from services.validator.verdict import Verdict

EAC3_JOC = "eac3_joc"


def judge_eac3(
    source: Source, recognised: Recognised, track: mp4.Track | None, verdict: Verdict
) -> None:
    """Judge the frames of a raw stream, or of a track."""
    if track is None:
        stream = read_stream(source, [(0, source.size)], Eac3Stream())
    else:
        start = Eac3Stream(_dec3(track), timed_samples=track.timed_samples)
        stream = read_stream(source, track.samples(), start)
    verdict.format = _eac3_format(stream, recognised.container)
    if stream.frames == 0 or verdict.identify(recognised, EAC3_JOC if stream.claims_atmos else ""):
        verdict.judge(stream)


def _dec3(track: mp4.Track) -> Dec3 | FormatError | None:
    try:
        return parse_dec3(track.config["dec3"]) if "dec3" in track.config else None
    except FormatError as error:
        return error


def _eac3_format(stream: Eac3Stream, container: str) -> Format:
    first = stream.first
    oamd = next((oamd for oamd, _ in stream.programmes), None)
    return Format(
        container=container,
        codec="E-AC-3 JOC" if stream.claims_atmos else "E-AC-3",
        sample_rate_hertz=first.sample_rate if first else 0,
        channels=first.channels if first else 0,
        bed_channels=oamd.bed_channels if oamd else 0,
        objects=oamd.object_count - oamd.bed_channels if oamd else 0,
        duration_seconds=stream.frames * stream.frame_seconds,
    )
