"""E-AC-3 with Atmos, raw, as a track or in a transport stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.dec3 import Dec3, parse_dec3
from services.validator.formats.eac3_stream import Eac3Stream, read_stream
from services.validator.rules import load
from shared.adm.source import FormatError
from shared.problems import Format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.validator.formats.kinds import Recognised
    from services.validator.formats.mp4 import Track
    from services.validator.verdict import Verdict

load("eac3")

EAC3_JOC = "eac3_joc"


def judge_eac3(
    frames: Iterable[tuple[int, bytes]],
    recognised: Recognised,
    track: Track | None,
    verdict: Verdict,
) -> None:
    """Judge frames and their offsets; ``track`` is the MP4 track that they are in, if any."""
    stream = read_stream(frames, Eac3Stream(track, _dec3(track) if track else None))
    verdict.format = _eac3_format(stream, recognised.container)
    if stream.frames == 0 or verdict.identify(recognised, EAC3_JOC if stream.claims_atmos else ""):
        verdict.judge(stream)


def _dec3(track: Track) -> Dec3 | FormatError | None:
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
        duration_seconds=stream.seconds,
    )
