"""Samples in movie fragments (ISO/IEC 14496-12 §8.8)."""

from __future__ import annotations

from dataclasses import dataclass

from services.validator.formats.mp4 import MAX_OFFSET, Box, BoxFile, Track, child, inner, payload
from services.validator.formats.mp4_samples import words
from shared.adm.source import FormatError

_BASE_DATA_OFFSET = 0x1
_DESCRIPTION_INDEX = 0x2
_DEFAULT_DURATION = 0x8
_DEFAULT_SIZE = 0x10
_DATA_OFFSET = 0x1
_FIRST_FLAGS = 0x4
_SAMPLE_FIELDS = ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "offset"))


@dataclass(slots=True)
class _Run:
    """Where the next run of samples starts, and what its samples have unless they say otherwise."""

    base: int
    duration: int
    size: int


def defaults(source: BoxFile, moov: Box) -> dict[int, tuple[int, int]]:
    """Return default sample duration and size per track number, from the trex boxes."""
    mvex = child(source, moov, "mvex")
    if mvex is None:
        return {}
    trexes = [payload(source, box, 24) for box in inner(source, mvex) if box.kind == "trex"]
    numbers = [words(trex[4:24]) for trex in trexes]
    return {each[0]: (each[2], each[3]) for each in numbers}


def read_fragment(
    source: BoxFile, moof: Box, tracks: dict[int, Track], known: dict[int, tuple[int, int]]
) -> None:
    """Add one movie fragment's samples; raises FormatError when a run is cut off."""
    start = moof.offset - 8
    for traf in inner(source, moof):
        if traf.kind != "traf":
            continue
        header = payload(source, child(source, traf, "tfhd"), 8)
        number = int.from_bytes(header[4:8])
        track = tracks.get(number)
        if track is None or track.handler != "soun":
            continue
        run = _fragment_header(header, _Run(start, *known.get(number, (0, 0))))
        base = run.base
        for trun in inner(source, traf):
            if trun.kind == "trun":
                _read_run(source, trun, track, run, base)


def _fragment_header(header: bytes, run: _Run) -> _Run:
    """Return where data offsets count from and the fragment's own defaults."""
    flags, fields = int.from_bytes(header[1:4]), header[8:]
    if flags & _BASE_DATA_OFFSET:
        run.base, fields = int.from_bytes(fields[:8]), fields[8:]
    if flags & _DESCRIPTION_INDEX:
        fields = fields[4:]
    if flags & _DEFAULT_DURATION:
        run.duration, fields = int.from_bytes(fields[:4]), fields[4:]
    if flags & _DEFAULT_SIZE:
        run.size = int.from_bytes(fields[:4])
    return run


def _read_run(source: BoxFile, box: Box, track: Track, run: _Run, base: int) -> None:
    """Add one run's samples, and note where the next run starts."""
    trun = payload(source, box, 8)
    flags, count = int.from_bytes(trun[1:4]), int.from_bytes(trun[4:8])
    source.count_samples(count, box.offset)
    head = 8
    if flags & _DATA_OFFSET:
        run.base, head = base + int.from_bytes(trun[8:12], signed=True), 12
    head += 4 * bool(flags & _FIRST_FLAGS)
    names = [name for bit, name in _SAMPLE_FIELDS if flags & bit]
    numbers = words(trun[head:])[: count * len(names)]
    if len(numbers) < count * len(names) or not 0 <= run.base <= MAX_OFFSET:
        raise FormatError("A run of samples is cut off", base)
    columns = {name: numbers[index :: len(names)] for index, name in enumerate(names)}
    track.timed_samples += count
    track.timed += sum(columns["duration"]) if "duration" in columns else count * run.duration
    for size in columns.get("size", [run.size] * count):
        track.offsets.append(run.base)
        track.sizes.append(size)
        run.base += size
