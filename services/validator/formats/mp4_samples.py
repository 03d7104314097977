"""Where a track's samples are and how long they take: tables of ISO/IEC 14496-12 §8.6-8.7."""

from __future__ import annotations

import sys
from array import array

from services.validator.formats.mp4 import MAX_OFFSET, Box, BoxFile, Track, child, payload
from shared.adm.source import FormatError

_MAX_EDITS = 1024


def read_sample_table(source: BoxFile, table: Box, track: Track) -> None:
    """Fill in the samples' places and sizes; raises FormatError when the tables disagree."""
    sizes = _sizes(source, child(source, table, "stsz"))
    if not sizes:
        return
    times = words(entries(source, child(source, table, "stts"), 8))
    track.timed_samples = sum(times[0::2])
    track.timed = sum(count * ticks for count, ticks in zip(times[0::2], times[1::2], strict=True))
    chunks = _chunk_offsets(source, table)
    runs = words(entries(source, child(source, table, "stsc"), 12))
    track.sizes = sizes
    track.offsets = _place(sizes, chunks, list(zip(runs[0::3], runs[1::3], strict=True)))


def entries(source: BoxFile, box: Box | None, width: int) -> bytes:
    """Return the entries of a table box; raises FormatError when it announces more than it has."""
    if box is None:
        raise FormatError("A table that every track needs is missing")
    head = payload(source, box, 8)
    count = int.from_bytes(head[4:8])
    if count * width > box.size - 8:
        raise FormatError(f"The {box.kind!r} box announces {count} entries", box.offset)
    return head[8 : 8 + count * width]


def words(data: bytes, typecode: str = "I") -> array[int]:
    """Return big-endian numbers; bytes that are no whole number are left out."""
    numbers = array(typecode)
    numbers.frombytes(data[: len(data) // numbers.itemsize * numbers.itemsize])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _sizes(source: BoxFile, stsz: Box | None) -> array[int]:
    if stsz is None:
        return array("L")
    head = source.read(stsz.offset, 12)
    common, count = int.from_bytes(head[4:8]), int.from_bytes(head[8:12])
    source.count_samples(count, stsz.offset)
    if common:
        return array("L", [common]) * count
    if 4 * count > stsz.size - 12:
        raise FormatError(f"The 'stsz' box announces {count} entries", stsz.offset)
    return array("L", words(source.read(stsz.offset + 12, 4 * count)))


def _chunk_offsets(source: BoxFile, table: Box) -> array[int]:
    wide = child(source, table, "co64")
    if wide is not None:
        return words(entries(source, wide, 8), "Q")
    return words(entries(source, child(source, table, "stco"), 4))


def _place(sizes: array[int], chunks: array[int], runs: list[tuple[int, int]]) -> array[int]:
    """Return each sample's offset from chunk offsets and (first chunk, samples in each) runs."""
    if max(chunks, default=0) > MAX_OFFSET:
        raise FormatError("A chunk lies past the end of any file")
    offsets = array("Q")
    firsts = [first for first, _ in runs]
    if firsts != sorted(set(firsts)) or firsts[:1] != [1]:
        raise FormatError("The runs of chunks are out of order")
    for (first, per_chunk), end in zip(runs, [*firsts[1:], len(chunks) + 1], strict=True):
        for chunk in chunks[first - 1 : end - 1]:
            position = chunk
            for size in sizes[len(offsets) : len(offsets) + per_chunk]:
                offsets.append(position)
                position += size
    if len(offsets) != len(sizes):
        raise FormatError(f"{len(sizes)} samples have a size, {len(offsets)} have a place")
    return offsets


def read_edits(source: BoxFile, elst: Box | None, timescale: int) -> tuple[tuple[float, int], ...]:
    """Return each edit's seconds and the media time it starts at (-1: nothing is played).

    ``timescale`` is the movie's; raises FormatError when the box announces more than it has.
    """
    if elst is None or not timescale:
        return ()
    wide = 8 if source.read(elst.offset, 1) == b"\1" else 4
    data = entries(source, elst, 2 * wide + 4)
    return tuple(
        (
            int.from_bytes(data[at : at + wide]) / timescale,
            int.from_bytes(data[at + wide : at + 2 * wide], signed=True),
        )
        for at in range(0, min(len(data), _MAX_EDITS * (2 * wide + 4)), 2 * wide + 4)
    )
