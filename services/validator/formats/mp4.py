"""MP4 boxes and tracks, plain and fragmented (ISO/IEC 14496-12)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.adm.source import Source

# An hour of fragments of one frame each.
MAX_BOXES = 1_000_000
MAX_SAMPLES = 4_000_000
MAX_OFFSET = 1 << 62
_AUDIO_ENTRY_BYTES = 28
_LARGE = 1
_TO_END = 0
_ATMOS_CODECS = {"ec-3", "ac-4", "mlpa", "enca"}


@dataclass(frozen=True, slots=True)
class Box:
    """One box: four-character type, where its payload starts, and the byte after it."""

    kind: str
    offset: int
    end: int

    @property
    def size(self) -> int:
        """Bytes of payload."""
        return self.end - self.offset


@dataclass(slots=True)
class Track:
    """One track: what codes it and where its samples are.

    ``codec`` is the sample entry's type, ``original`` the type under an encrypted entry (``frma``),
    ``config`` the entry's own boxes by type; ``duration`` counts in ``timescale`` units per second.
    ``timed_samples`` and ``timed`` are how many samples the time tables count, and how long they
    say that these take. ``edits`` are seconds and the media time they start at (-1: nothing).
    """

    number: int = 0
    handler: str = ""
    codec: str = ""
    original: str = ""
    channels: int = 0
    sample_rate: int = 0
    timescale: int = 0
    duration: int = 0
    timed_samples: int = 0
    timed: int = 0
    edits: tuple[tuple[float, int], ...] = ()
    config: dict[str, bytes] = field(default_factory=dict)
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("L"))

    def samples(self) -> Iterator[tuple[int, int]]:
        """Yield offset and size of each sample, in bytes."""
        return zip(self.offsets, self.sizes, strict=False)


@dataclass(slots=True)
class Mp4:
    """A walked file; ``overrun`` is the top-level box that reaches past the end of the file."""

    tracks: list[Track] = field(default_factory=list)
    has_moov: bool = False
    fragmented: bool = False
    overrun: Box | None = None

    def audio(self) -> Track | None:
        """Return the first sound track that can carry Atmos, else the first one."""
        heard = [track for track in self.tracks if track.handler == "soun"]
        return min(heard, key=lambda track: track.codec not in _ATMOS_CODECS, default=None)


class BoxFile:
    """A file of boxes: its bytes, and how many boxes and samples it may still claim to have.

    A box counts each time that it is read.
    """

    def __init__(self, source: Source) -> None:
        self.size, self.peek, self.read = source.size, source.peek, source.read
        self._boxes, self._samples = MAX_BOXES, MAX_SAMPLES

    def count_box(self, offset: int) -> None:
        """Take note of a box; raises FormatError when no real file has so many."""
        self._boxes -= 1
        if self._boxes < 0:
            raise FormatError("More boxes than any real file has", offset)

    def count_samples(self, count: int, offset: int) -> None:
        """Take note of samples, of any track; raises FormatError when no real file has so many."""
        self._samples -= count
        if self._samples < 0:
            raise FormatError(f"{count} samples are more than any real track has", offset)


def boxes(source: BoxFile, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets; raises FormatError when one is shorter than its header.

    A box may claim to reach past ``end``: it is yielded so, and is the last.
    """
    position = start
    while position + 8 <= end:
        source.count_box(position)
        head = source.read(position, 8)
        size, kind, header = int.from_bytes(head[:4]), head[4:].decode("latin-1"), 8
        if size == _LARGE:
            size, header = int.from_bytes(source.read(position + 8, 8)), 16
        elif size == _TO_END:
            size = end - position
        if size < header:
            raise FormatError(f"The {kind!r} box says {size} bytes", position)
        yield Box(kind, position + header, position + size)
        position += size


def child(source: BoxFile, parent: Box, *path: str) -> Box | None:
    """Return the first box down this path of types."""
    found: Box | None = parent
    for kind in path:
        if found is None:
            return None
        found = next((box for box in inner(source, found) if box.kind == kind), None)
    return found


def inner(source: BoxFile, parent: Box, skip: int = 0) -> Iterator[Box]:
    """Yield a container's boxes; raises FormatError when one leaves its parent."""
    for box in boxes(source, parent.offset + skip, min(parent.end, source.size)):
        if box.end > parent.end:
            raise FormatError(f"The {box.kind!r} box leaves its {parent.kind!r}", box.offset)
        yield box


def payload(source: BoxFile, box: Box | None, least: int = 0) -> bytes:
    """Return a box's bytes; raises FormatError when it is missing or shorter than ``least``."""
    if box is None:
        raise FormatError("A box that every track needs is missing")
    if box.size < least:
        raise FormatError(f"The {box.kind!r} box has {box.size} bytes", box.offset)
    return source.read(box.offset, box.size)


def read_mp4(source: Source) -> Mp4:
    """Read all tracks; raises FormatError when the structure contradicts itself."""
    from services.validator.formats import mp4_fragments

    result, file = Mp4(), BoxFile(source)
    defaults: dict[int, tuple[int, int]] = {}
    for box in boxes(file, 0, file.size):
        if box.end > file.size:
            result.overrun = box
            return result
        if box.kind == "moov":
            result.has_moov = True
            _read_movie(file, box, result)
            defaults = mp4_fragments.defaults(file, box)
        elif box.kind == "moof":
            result.fragmented = True
            mp4_fragments.read_fragment(file, box, {t.number: t for t in result.tracks}, defaults)
    return result


def _read_movie(source: BoxFile, moov: Box, result: Mp4) -> None:
    from services.validator.formats.mp4_samples import read_edits

    mvhd = payload(source, child(source, moov, "mvhd"), 20)
    at = 20 if mvhd[0] == 1 else 12
    timescale = int.from_bytes(mvhd[at : at + 4])
    for trak in inner(source, moov):
        if trak.kind == "trak":
            track = _track(source, trak)
            track.edits = read_edits(source, child(source, trak, "edts", "elst"), timescale)
            result.tracks.append(track)


def _track(source: BoxFile, trak: Box) -> Track:
    from services.validator.formats.mp4_samples import read_sample_table

    track = Track(
        handler=payload(source, child(source, trak, "mdia", "hdlr"), 12)[8:12].decode("latin-1")
    )
    tkhd = payload(source, child(source, trak, "tkhd"), 24)
    at = 20 if tkhd[0] == 1 else 12
    track.number = int.from_bytes(tkhd[at : at + 4])
    _read_media_header(payload(source, child(source, trak, "mdia", "mdhd"), 20), track)
    table = child(source, trak, "mdia", "minf", "stbl")
    if table is None:
        raise FormatError("A track has no sample table", trak.offset)
    if track.handler == "soun":
        _read_entry(source, child(source, table, "stsd"), track)
        read_sample_table(source, table, track)
    return track


def _read_media_header(mdhd: bytes, track: Track) -> None:
    at, width = (20, 8) if mdhd[0] == 1 else (12, 4)
    track.timescale = int.from_bytes(mdhd[at : at + 4])
    track.duration = int.from_bytes(mdhd[at + 4 : at + 4 + width])


def _read_entry(source: BoxFile, stsd: Box | None, track: Track) -> None:
    if stsd is None:
        raise FormatError("A track has no sample description")
    entry = next(inner(source, stsd, skip=8), None)
    if entry is None:
        raise FormatError("A track's sample description is empty", stsd.offset)
    fixed = source.read(entry.offset, _AUDIO_ENTRY_BYTES)
    track.codec = entry.kind
    track.channels = int.from_bytes(fixed[16:18])
    track.sample_rate = int.from_bytes(fixed[24:26])
    for box in inner(source, entry, skip=_AUDIO_ENTRY_BYTES):
        track.config[box.kind] = source.peek(box.offset, min(box.size, 4096))
        if box.kind == "sinf":
            track.original = payload(source, child(source, box, "frma"), 4)[:4].decode("latin-1")
