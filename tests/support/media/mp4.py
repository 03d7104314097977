"""MP4 files with one sound track, plain or fragmented (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.support.media.bits import Bits

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(kind: str, *parts: bytes) -> bytes:
    """Return a box with its size."""
    payload = b"".join(parts)
    return struct.pack(">I4s", 8 + len(payload), kind.encode("latin-1")) + payload


def full(kind: str, *parts: bytes, flags: int = 0) -> bytes:
    """Return a box with version 0 and flags."""
    return box(kind, struct.pack(">I", flags), *parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One sound track: its coded frames, sample entry type and codec box."""

    frames: tuple[bytes, ...]
    codec: str = "ec-3"
    config: bytes = b""
    samples_per_frame: int = 1536
    rate: int = 48_000
    timed_samples: int | None = None
    edits: tuple[tuple[int, int], ...] = ()
    per_run: int = 0

    @property
    def duration(self) -> int:
        """In units of the rate."""
        return len(self.frames) * self.samples_per_frame


def dec3(
    complexity: int | None = 16, data_rate: int = 391, rate_code: int = 0, dependents: int = 0
) -> bytes:
    """Return a dec3 box for one 5.1 substream, with the Atmos extension unless None."""
    head = Bits().put(13, data_rate).put(3, 0).put(2, rate_code).put(5, 16).put(5, 0)
    head.put(3, 7).put(1, 1).put(3, 0).put(4, dependents).put(9 if dependents else 1, 0)
    extension = b"" if complexity is None else bytes([1, complexity])
    return box("dec3", bytes(head), extension)


def plain(track: Track) -> bytes:
    """Return a file with its moov before its mdat."""
    start = len(_ftyp()) + len(_moov(track, 0)) + 8
    return _ftyp() + _moov(track, start) + box("mdat", *track.frames)


def fragmented(track: Track, per_fragment: int = 4) -> bytes:
    """Return a file whose samples are in movie fragments."""
    empty = Track(frames=(), codec=track.codec, config=track.config, rate=track.rate)
    trex = full("trex", struct.pack(">5I", 1, 1, track.samples_per_frame, 0, 0))
    result = _ftyp() + _moov(empty, 0, trex)
    for start in range(0, len(track.frames), per_fragment):
        frames = track.frames[start : start + per_fragment]
        runs = track.per_run or per_fragment
        result += _moof(frames, len(_moof(frames, 0, runs)) + 8, runs) + box("mdat", *frames)
    return result


def _moof(frames: tuple[bytes, ...], data_offset: int, per_run: int) -> bytes:
    """Return a fragment; only its first run says where it starts, the others follow."""
    runs = []
    for start in range(0, len(frames), per_run):
        sizes = [len(frame) for frame in frames[start : start + per_run]]
        offset = struct.pack(">i", data_offset) if start == 0 else b""
        words = struct.pack(f">{len(sizes)}I", *sizes)
        head = struct.pack(">I", len(sizes)) + offset
        runs.append(full("trun", head, words, flags=0x200 | bool(offset)))
    header = full("tfhd", struct.pack(">I", 1), flags=0x20000)
    return box("moof", full("mfhd", struct.pack(">I", 1)), box("traf", header, *runs))


def _ftyp() -> bytes:
    return box("ftyp", b"isom", bytes(4), b"isommp42")


def _moov(track: Track, data_start: int, trex: bytes = b"") -> bytes:
    times = struct.pack(">4I", 0, 0, track.rate, track.duration)
    mvhd = full(
        "mvhd", times, struct.pack(">IH10x", 0x10000, 0x100), _MATRIX, bytes(24), b"\0\0\0\2"
    )
    tkhd = full(
        "tkhd",
        struct.pack(">5I", 0, 0, 1, 0, track.duration),
        bytes(16),
        _MATRIX,
        bytes(8),
        flags=7,
    )
    mdia = box(
        "mdia",
        full("mdhd", times, struct.pack(">HH", 0x55C4, 0)),
        full("hdlr", bytes(4), b"soun", bytes(12), b"\0"),
        box("minf", full("smhd", bytes(4)), _dinf(), _table(track, data_start)),
    )
    mvex = box("mvex", trex) if trex else b""
    return box("moov", mvhd, box("trak", tkhd, _edits(track), mdia), mvex)


def _edits(track: Track) -> bytes:
    if not track.edits:
        return b""
    entries = b"".join(struct.pack(">Iii", *edit, 0x10000) for edit in track.edits)
    return box("edts", full("elst", struct.pack(">I", len(track.edits)), entries))


def _dinf() -> bytes:
    return box("dinf", full("dref", struct.pack(">I", 1), full("url ", flags=1)))


def _table(track: Track, data_start: int) -> bytes:
    count = len(track.frames)
    timed = count if track.timed_samples is None else track.timed_samples
    entry = box(
        track.codec,
        struct.pack(">6xH8xHHIHH", 1, 2, 16, 0, track.rate, 0),
        track.config,
    )
    return box(
        "stbl",
        full("stsd", struct.pack(">I", 1), entry),
        _entries("stts", timed, track.samples_per_frame) if count else _entries("stts"),
        _entries("stsc", 1, count, 1) if count else _entries("stsc"),
        full("stsz", struct.pack(f">2I{count}I", 0, count, *map(len, track.frames))),
        _entries("stco", data_start) if count else _entries("stco"),
    )


def _entries(kind: str, *entry: int) -> bytes:
    """Return a table box with one entry, or with none."""
    return full(kind, struct.pack(f">I{len(entry)}I", bool(entry), *entry))
