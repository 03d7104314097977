"""The boxes of a video track: each has its fields, or the file is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.validator.formats.iso_video import VideoTrack, read_movie
from shared.adm.source import FormatError, open_source
from tests.support.media.mp4 import box

if TYPE_CHECKING:
    from pathlib import Path

VIDE = bytes(8) + b"vide"
SHORT = bytes(12) + (600).to_bytes(4) + bytes(8)
LONG = b"\1" + bytes(19) + (90_000).to_bytes(4) + bytes(12)
SIZED = bytes(24) + (640).to_bytes(2) + (480).to_bytes(2) + bytes(50)
PASP = box("pasp", (4).to_bytes(4), (3).to_bytes(4))
TABLE = ((2, 25), (0, 99), (3, 26), (0, 1))


def movie(
    hdlr: bytes = VIDE,
    mdhd: bytes = SHORT,
    entry: bytes | None = None,
    table: tuple[tuple[int, int], ...] = TABLE,
) -> bytes:
    if entry is None:
        entry = box("avc1", SIZED, PASP)
    pairs = b"".join(count.to_bytes(4) + ticks.to_bytes(4) for count, ticks in table)
    stsd = box("stsd", bytes(4), (1).to_bytes(4), entry)
    stts = box("stts", bytes(4), len(table).to_bytes(4), pairs)
    minf = box("minf", box("stbl", stsd, stts))
    return box("moov", box("trak", box("mdia", box("mdhd", mdhd), box("hdlr", hdlr), minf)))


def read(data: bytes, tmp_path: Path) -> tuple[VideoTrack, ...]:
    path = tmp_path / "movie"
    path.write_bytes(data)
    with open_source(path) as source:
        return read_movie(source).videos


@pytest.mark.parametrize(("mdhd", "timescale"), [(SHORT, 600), (LONG, 90_000)])
def test_a_track_is_read(mdhd: bytes, timescale: int, tmp_path: Path) -> None:
    expected = VideoTrack("avc1", 640, 480, (4, 3), timescale, {25: 2, 26: 2}, 26)

    assert read(movie(mdhd=mdhd), tmp_path) == (expected,)


@pytest.mark.parametrize(
    "data",
    [
        movie(mdhd=b""),
        movie(mdhd=SHORT[:15]),
        movie(hdlr=VIDE[:11]),
        movie(entry=b""),
        movie(entry=box("avc1", SIZED[:40])),
        movie(entry=box("avc1", SIZED, box("pasp", bytes(7)))),
    ],
    ids=["no mdhd", "a short mdhd", "a short hdlr", "no entry", "a short entry", "a short pasp"],
)
def test_a_box_without_its_fields_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        read(data, tmp_path)
