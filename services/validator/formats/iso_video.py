"""The video tracks of an MP4 or QuickTime file (ISO/IEC 14496-12 §8, §12.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.mp4 import Box, BoxFile, boxes, child, inner, payload
from services.validator.formats.mp4_samples import entries, words
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from shared.adm.source import Source

_ENTRY_BYTES = 78
_PASP_BYTES = 8


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """One video track: its codec's four characters, pixels, and how long its pictures stand.

    ``pixel_ratio`` is width to height of a pixel. ``ticks`` holds the count of pictures for each
    time that they stand, in units of ``timescale`` per second; the last picture counts apart.
    """

    codec: str
    width: int
    height: int
    pixel_ratio: tuple[int, int]
    timescale: int
    ticks: dict[int, int]
    last_tick: int

    @property
    def pictures(self) -> int:
        """How many there are."""
        return sum(self.ticks.values()) + (self.last_tick > 0)

    @property
    def seconds(self) -> float:
        """How long they stand in all; 0 without a time scale."""
        total = sum(ticks * count for ticks, count in self.ticks.items()) + self.last_tick
        return total / self.timescale if self.timescale else 0.0

    @property
    def frame_rate(self) -> float:
        """Pictures per second, the last one left out when there are others; 0 without any."""
        ticks = self.ticks or ({self.last_tick: 1} if self.last_tick else {})
        total = sum(each * count for each, count in ticks.items())
        return self.timescale * sum(ticks.values()) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Movie:
    """A walked file: its video tracks, how many others it has of which kind, and where it is cut.

    ``overrun`` is the top-level box that reaches past the end of the file.
    """

    videos: tuple[VideoTrack, ...]
    sounds: int
    overrun: Box | None


def read_movie(source: Source) -> Movie:
    """Read all video tracks; raises FormatError when the structure contradicts itself."""
    videos: list[VideoTrack] = []
    file = BoxFile(source)
    sounds, overrun, found = 0, None, False
    for box in boxes(file, 0, file.size):
        if box.end > file.size:
            overrun = box
        elif box.kind == "moov":
            found = True
            for trak in (each for each in inner(file, box) if each.kind == "trak"):
                handler = _handler(file, trak)
                sounds += handler == "soun"
                if handler == "vide":
                    videos.append(_video(file, trak))
    if not found and overrun is None:
        raise FormatError("There is no movie box")
    return Movie(tuple(videos), sounds, overrun)


def _handler(source: BoxFile, trak: Box) -> str:
    return payload(source, child(source, trak, "mdia", "hdlr"), 12)[8:12].decode("latin-1")


def _video(source: BoxFile, trak: Box) -> VideoTrack:
    stsd = child(source, trak, "mdia", "minf", "stbl", "stsd")
    if stsd is None:
        raise FormatError("A video track has no sample description", trak.offset)
    entry = next(inner(source, stsd, skip=8), None)
    if entry is None:
        raise FormatError("A video track's sample description is empty", stsd.offset)
    fixed = payload(source, entry, _ENTRY_BYTES)
    ticks, last = _ticks(source, child(source, trak, "mdia", "minf", "stbl", "stts"))
    return VideoTrack(
        codec=entry.kind,
        width=int.from_bytes(fixed[24:26]),
        height=int.from_bytes(fixed[26:28]),
        pixel_ratio=_pixel_ratio(source, entry),
        timescale=_timescale(payload(source, child(source, trak, "mdia", "mdhd"), 20)),
        ticks=ticks,
        last_tick=last,
    )


def _pixel_ratio(source: BoxFile, entry: Box) -> tuple[int, int]:
    """Return what pasp says; pixels are square without it."""
    start = entry.offset + _ENTRY_BYTES
    for box in boxes(source, start, min(entry.end, source.size)):
        if box.kind == "pasp":
            data = payload(source, box, _PASP_BYTES)
            return int.from_bytes(data[:4]), int.from_bytes(data[4:8])
    return 1, 1


def _timescale(mdhd: bytes) -> int:
    at = 20 if mdhd[0] == 1 else 12
    return int.from_bytes(mdhd[at : at + 4])


def _ticks(source: BoxFile, stts: Box | None) -> tuple[dict[int, int], int]:
    """Return the count of pictures by how long they stand, and how long the last one stands."""
    table = words(entries(source, stts, 8))
    counts: dict[int, int] = {}
    last = 0
    for count, ticks in zip(table[0::2], table[1::2], strict=True):
        if count:
            counts[ticks] = counts.get(ticks, 0) + count
            last = ticks
    if counts:
        counts[last] -= 1
    return {ticks: count for ticks, count in counts.items() if count}, last
