"""What FFmpeg does not tell of a wave file: that it ends early, and that it describes a scene.

RIFF, RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088).
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = (b"RIFF", b"RF64", b"BW64")
_HEAD = struct.Struct("<4sI")
_LONG_SIZES = struct.Struct("<QQ")
_IN_DS64 = 0xFFFFFFFF
# A file of many empty chunks must not take long.
_MAX_CHUNKS = 4096


class WaveFacts(NamedTuple):
    """``missing`` bytes of the samples; ``scene``: tracks that only an ADM renderer may mix."""

    missing: int
    scene: bool


class _Chunk(NamedTuple):
    name: bytes
    at: int
    size: int


def wave_facts(file: BinaryIO) -> WaveFacts | None:
    """Return what a wave file says of itself, None for any other file; reads headers only."""
    file.seek(0)
    head = file.read(12)
    if head[:4] not in _KINDS or head[8:] != b"WAVE":
        return None
    end = file.seek(0, io.SEEK_END)
    chunks = list(_chunks(file, end))
    sound = [each for each in chunks if each.name == b"data"]
    return WaveFacts(
        missing=max([0, *(each.at + each.size - end for each in sound)]),
        scene=any(each.name == b"chna" for each in chunks),
    )


def _chunks(file: BinaryIO, end: int) -> Iterator[_Chunk]:
    """Yield each chunk with its true size, whichever header that stands in."""
    at, long_size = 12, None
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        name, size = _HEAD.unpack(head)
        at += _HEAD.size
        if name == b"ds64":
            long_size = _long_data_size(file)
        elif name == b"data" and size == _IN_DS64:
            # Who wrote to a pipe knew no size: it is what there is.
            size = end - at if long_size is None else long_size
        yield _Chunk(name, at, size)
        at += size + size % 2


def _long_data_size(file: BinaryIO) -> int | None:
    sizes = file.read(_LONG_SIZES.size)
    return int(_LONG_SIZES.unpack(sizes)[1]) if len(sizes) == _LONG_SIZES.size else None
