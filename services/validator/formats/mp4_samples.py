"""Where a track's samples are: sample tables and movie fragments (ISO/IEC 14496-12 §8.6-8.8)."""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING

from services.validator.formats.mp4 import MAX_SAMPLES, Box, Track, child, inner, payload
from services.validator.formats.source import FormatError

if TYPE_CHECKING:
    from services.validator.formats.source import Source

_BASE_DATA_OFFSET = 0x1
_DESCRIPTION_INDEX = 0x2
_DEFAULT_DURATION = 0x8
_DEFAULT_SIZE = 0x10
_DATA_OFFSET = 0x1
_FIRST_FLAGS = 0x4
_SAMPLE_FIELDS = ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "offset"))


def read_sample_table(source: Source, table: Box, track: Track) -> None:
    """Fill in the samples' places and sizes; raises FormatError when the tables disagree."""
    sizes = _sizes(source, child(source, table, "stsz"))
    if not sizes:
        return
    stts = _words(payload(source, child(source, table, "stts"), 8), 8)
    track.timed_samples = sum(stts[0::2])
    chunks = _chunk_offsets(source, table)
    runs = _words(payload(source, child(source, table, "stsc"), 8), 8)
    track.sizes = sizes
    track.offsets = _place(sizes, chunks, list(zip(runs[0::3], runs[1::3], strict=False)))


def _words(data: bytes, start: int, typecode: str = "I") -> array[int]:
    words = array(typecode)
    whole = (len(data) - start) // words.itemsize * words.itemsize
    words.frombytes(data[start : start + whole])
    if sys.byteorder == "little":
        words.byteswap()
    return words


def _sizes(source: Source, stsz: Box | None) -> array[int]:
    if stsz is None:
        return array("L")
    data = payload(source, stsz, 12)
    common, count = int.from_bytes(data[4:8]), int.from_bytes(data[8:12])
    if count > MAX_SAMPLES:
        raise FormatError(f"{count} samples are more than any real track has", stsz.offset)
    if common:
        return array("L", [common]) * count
    sizes = array("L", _words(data, 12)[:count])
    if len(sizes) != count:
        raise FormatError(f"{count} samples are announced, {len(sizes)} sizes given", stsz.offset)
    return sizes


def _chunk_offsets(source: Source, table: Box) -> array[int]:
    wide = child(source, table, "co64")
    if wide is not None:
        return _words(payload(source, wide, 8), 8, "Q")
    return _words(payload(source, child(source, table, "stco"), 8), 8)


def _place(sizes: array[int], chunks: array[int], runs: list[tuple[int, int]]) -> array[int]:
    """Return each sample's offset from chunk offsets and (first chunk, samples in each) runs."""
    offsets = array("Q")
    for index, (first, per_chunk) in enumerate(runs):
        last = runs[index + 1][0] if index + 1 < len(runs) else len(chunks) + 1
        for chunk in chunks[first - 1 if first else 0 : max(last - 1, 0)]:
            position = chunk
            for size in sizes[len(offsets) : len(offsets) + per_chunk]:
                offsets.append(position)
                position += size
    if len(offsets) != len(sizes):
        raise FormatError(f"{len(sizes)} samples have a size, {len(offsets)} have a place")
    return offsets


def fragment_defaults(source: Source, moov: Box) -> dict[int, tuple[int, int]]:
    """Return default sample duration and size per track number, from the trex boxes."""
    mvex = child(source, moov, "mvex")
    if mvex is None:
        return {}
    trexes = [payload(source, box, 24) for box in inner(source, mvex) if box.kind == "trex"]
    words = [_words(trex, 4) for trex in trexes]
    return {each[0]: (each[2], each[3]) for each in words}


def read_fragment(
    source: Source, moof: Box, tracks: dict[int, Track], defaults: dict[int, tuple[int, int]]
) -> None:
    """Add one movie fragment's samples; raises FormatError when a run is cut off."""
    for traf in inner(source, moof):
        if traf.kind != "traf":
            continue
        header = payload(source, child(source, traf, "tfhd"), 8)
        number = int.from_bytes(header[4:8])
        track = tracks.get(number)
        if track is None or track.handler != "soun":
            continue
        base, size = _fragment_header(header, moof, defaults.get(number, (0, 0))[1])
        for trun in inner(source, traf):
            if trun.kind == "trun":
                base = _read_run(payload(source, trun, 8), track, base, size, _moof_start(moof))


def _moof_start(moof: Box) -> int:
    return moof.offset - 8


def _fragment_header(header: bytes, moof: Box, size: int) -> tuple[int, int]:
    """Return the base of data offsets and the default sample size."""
    flags = int.from_bytes(header[1:4])
    position, base = 8, _moof_start(moof)
    if flags & _BASE_DATA_OFFSET:
        base, position = int.from_bytes(header[8:16]), 16
    position += 4 * (bool(flags & _DESCRIPTION_INDEX) + bool(flags & _DEFAULT_DURATION))
    if flags & _DEFAULT_SIZE:
        size = int.from_bytes(header[position : position + 4])
    return base, size


def _read_run(trun: bytes, track: Track, base: int, default_size: int, moof: int) -> int:
    """Add one run's samples and return where the next run starts."""
    flags, count = int.from_bytes(trun[1:4]), int.from_bytes(trun[4:8])
    if len(track.sizes) + count > MAX_SAMPLES:
        raise FormatError(f"{count} samples are more than any real track has", moof)
    start, head = base, 8
    if flags & _DATA_OFFSET:
        start, head = base + int.from_bytes(trun[8:12], signed=True), 12
    head += 4 * bool(flags & _FIRST_FLAGS)
    names = [name for bit, name in _SAMPLE_FIELDS if flags & bit]
    words = _words(trun, head)
    if len(words) < count * len(names) or start < 0:
        raise FormatError("A run of samples is cut off", moof)
    sizes = [default_size] * count
    if "size" in names:
        sizes = list(words[names.index("size") : count * len(names) : len(names)])
    return _append(track, start, sizes)


def _append(track: Track, position: int, sizes: list[int]) -> int:
    for size in sizes:
        track.offsets.append(position)
        track.sizes.append(size)
        position += size
    track.timed_samples += len(sizes)
    return position
