"""TrueHD: raw, in MPEG-TS, or as a track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.truehd_dmlp import Dmlp, parse_dmlp
from services.validator.formats.truehd_stream import TruehdStream
from services.validator.rules import load
from shared.adm.source import FormatError
from shared.problems import Format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.validator.formats import mp4
    from services.validator.formats.kinds import Recognised
    from services.validator.verdict import Verdict

load("truehd")

TRUEHD_ATMOS = "truehd"


def judge_truehd(
    frames: Iterable[tuple[int, bytes]],
    recognised: Recognised,
    track: mp4.Track | None,
    verdict: Verdict,
) -> None:
    """Judge access units at their positions, of a stream or of a track."""
    in_track = track is not None
    stream = TruehdStream(in_track=in_track, dmlp=_dmlp(track) if track else None)
    _fill(stream, frames)
    verdict.format = _format(stream, recognised.container)
    carries = TRUEHD_ATMOS if stream.has_objects else ""
    if stream.units == 0 or verdict.identify(recognised, carries):
        verdict.judge(stream)


def _fill(stream: TruehdStream, frames: Iterable[tuple[int, bytes]]) -> None:
    """Take all access units in, up to where the stream is ``broken``."""
    try:
        for position, data in frames:
            stream.add(position, data)
    except FormatError as error:
        stream.broken = error
    stream.finish()


def _dmlp(track: mp4.Track) -> Dmlp | FormatError | None:
    try:
        return parse_dmlp(track.config["dmlp"]) if "dmlp" in track.config else None
    except FormatError as error:
        return error


def _format(stream: TruehdStream, container: str) -> Format:
    first = stream.first
    objects = first.objects if first else None
    return Format(
        container=container,
        codec="TrueHD Atmos" if stream.has_objects else "TrueHD",
        sample_rate_hertz=first.sample_rate if first else 0,
        channels=objects.channels if objects else 0,
        bed_channels=max(objects.channels - objects.dynamic, 0) if objects else 0,
        objects=objects.dynamic if objects else 0,
        duration_seconds=stream.seconds,
    )
