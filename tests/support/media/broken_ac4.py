"""Broken AC-4 files: each valid but for one thing, with the one code that must be found."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tests.support.media.ac4 import (
    Coding,
    Frame,
    dac4,
    dac4_of,
    mp4_file,
    mp4_of,
    raw_file,
    raw_frame,
    raw_frames,
    synced,
)
from tests.support.media.broken import Broken, raw
from tests.support.media.mp4 import box

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = Frame()
_DEPENDENT = replace(_START, i_frame=False)


def files() -> list[Broken]:
    """Return every broken AC-4 file."""
    return [*_boxes(), *_frames(), *_identities()]


def _boxes() -> Iterator[Broken]:
    yield raw("dac4_missing", "no dac4", lambda: mp4_file(config=b""))
    yield raw("dac4_malformed", "cut", lambda: mp4_file(config=box("dac4", dac4()[8:20])))
    yield from _differing_boxes()


def _differing_boxes() -> Iterator[Broken]:
    others = {
        "rate": replace(_START, is_48_khz=False),
        "frame rate": replace(_START, frame_rate_index=2),
        "level": replace(_START, level=3),
        "channels": replace(_START, coding=Coding.HEIGHTS),
    }
    for name, other in others.items():
        yield raw("ac4_dac4_differs", name, partial(mp4_file, config=dac4_of(other)))


def _frames() -> Iterator[Broken]:
    yield raw("ac4_malformed", "no sync", lambda: raw_file() + bytes(40))
    yield raw("ac4_malformed", "cut", lambda: raw_file()[:-10])
    yield raw("ac4_malformed", "substreams too long", lambda: mp4_of(_short(), dac4()))
    yield raw("ac4_malformed", "first frame cut", lambda: mp4_of((b"\x80",), dac4()))
    yield raw("ac4_malformed", "endless number", lambda: mp4_of((b"\xff" * 64,), dac4()))
    yield raw("ac4_crc_wrong", "bit", _damaged)
    yield raw("ac4_first_frame_dependent", "cut in", lambda: raw_file(_late()))
    yield raw("ac4_sequence_gap", "frame lost", lambda: raw_file(_without(5)))
    yield raw("ac4_sequence_gap", "1021", lambda: raw_file(_counted(1020, 1021)))
    yield raw("ac4_parameters_change", "level", lambda: raw_file(_other(replace(_START, level=3))))
    rate = replace(_START, frame_rate_index=4)
    yield raw("ac4_parameters_change", "frame rate", lambda: raw_file(_other(rate)))
    unsaid = replace(_START, indicator=None)
    yield raw("ac4_atmos_not_indicated", "not at all", lambda: raw_file(raw_frames(unsaid)))
    denied = replace(_START, indicator=False)
    yield raw("ac4_atmos_not_indicated", "denied", lambda: raw_file(raw_frames(denied)))


def _identities() -> Iterator[Broken]:
    for coding in (Coding.STEREO, Coding.NOT_ATMOS):
        yield raw("no_atmos", f"AC-4 {coding}", partial(mp4_file, Frame(coding=coding)))
    heights = Frame(coding=Coding.HEIGHTS, indicator=False)
    yield raw("no_atmos", "AC-4 channels of no Atmos", lambda: mp4_file(heights))
    old = Frame(bitstream_version=1)
    yield raw("no_atmos", "AC-4 of the first edition", lambda: raw_file(raw_frames(old)))
    spoof = Frame(coding=Coding.STEREO)
    yield raw("no_atmos", "AC-4 objects in dac4 only", lambda: mp4_file(spoof, dac4_of(_START)))
    stereo = Frame(coding=Coding.FROM_ATMOS)
    yield raw("format_not_accepted", "AC-4 immersive stereo", lambda: mp4_file(stereo))


def _short() -> tuple[bytes, ...]:
    first, *rest = raw_frames()
    return (first, rest[0][:-1], *rest[1:])


def _damaged() -> bytes:
    first, *rest = raw_frames()
    wrapped = bytearray(synced(first))
    wrapped[-20] ^= 0x10
    return bytes(wrapped) + raw_file(tuple(rest))


def _late() -> tuple[bytes, ...]:
    return (raw_frame(_DEPENDENT), *raw_frames(replace(_START, counter=2)))


def _without(index: int) -> tuple[bytes, ...]:
    frames = raw_frames()
    return frames[:index] + frames[index + 1 :]


def _counted(*counters: int) -> tuple[bytes, ...]:
    return tuple(raw_frame(replace(_START, counter=counter)) for counter in counters)


def _other(frame: Frame) -> tuple[bytes, ...]:
    frames = raw_frames()
    return (*frames, raw_frame(replace(frame, counter=len(frames) + 1)))
