"""Adds to a finished file what its muxer cannot write: ID3 in wave and AIFF, the ISRC in MP4."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from services.publisher.formats import Format

_LONG = 0xFFFFFFFF
_RF64_SIZE_AT = 20
_BOX_HEAD = 8
# Each is the last in the one before, as FFmpeg writes them; the number is what stands before the
# boxes inside: "meta" is a full box (ISO/IEC 14496-12 8.11.1).
_PATH = ((b"moov", 0), (b"udta", 0), (b"meta", 4), (b"ilst", 0))


class FileTooLarge(Exception):  # noqa: N818 - reads as what happened
    """The sizes in the file's header cannot say how large it is."""


def append_id3(file: BinaryIO, tag: bytes, form: Format) -> None:
    """Append a tag as the last chunk of a wave or AIFF file. Raises FileTooLarge."""
    big = form.container == "aiff"
    order, name = (">", b"ID3 ") if big else ("<", b"id3 ")
    end = file.seek(0, io.SEEK_END)
    chunk = bytes(end % 2) + name + struct.pack(f"{order}I", len(tag)) + tag + bytes(len(tag) % 2)
    size = end + len(chunk) - _BOX_HEAD
    file.seek(0)
    if file.read(4) == b"RF64":
        _put(file, _RF64_SIZE_AT, struct.pack("<Q", size))
    elif size + _BOX_HEAD > min(form.max_bytes, _LONG):
        raise FileTooLarge
    else:
        _put(file, 4, struct.pack(f"{order}I", size))
    _put(file, end, chunk)


def append_isrc(file: BinaryIO, isrc: str) -> None:
    """Append the ISRC to the list of tags, where it is no more than a named text to iTunes."""
    parts = (b"mean", bytes(4) + b"com.apple.iTunes"), (b"name", bytes(4) + b"ISRC")
    # Kind 1 is UTF-8, and no country is meant.
    value = (b"data", struct.pack(">II", 1, 0) + isrc.encode())
    item = _box(b"----", b"".join(_box(*each) for each in (*parts, value)))
    end = file.seek(0, io.SEEK_END)
    for box in _last_boxes(file, end):
        _put(file, box.at, struct.pack(">I", box.size + len(item)))
    _put(file, end, item)


class _Box(NamedTuple):
    at: int
    size: int


def _last_boxes(file: BinaryIO, end: int) -> list[_Box]:
    """Return the boxes from moov to ilst. Raises ValueError unless all of them end the file."""
    found, at = [], 0
    for name, skipped in _PATH:
        box = _find(file, name, at, end)
        if box.at + box.size != end:
            raise ValueError(f"{name!r} is not the last box")
        found.append(box)
        at = box.at + _BOX_HEAD + skipped
    return found


def _find(file: BinaryIO, wanted: bytes, at: int, end: int) -> _Box:
    while at < end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(_BOX_HEAD))
        if size == 1:
            size = struct.unpack(">Q", file.read(8))[0]
        if name == wanted:
            return _Box(at, size)
        at += size
    raise ValueError(f"there is no {wanted!r}")


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", _BOX_HEAD + len(content), name) + content


def _put(file: BinaryIO, at: int, data: bytes) -> None:
    file.seek(at)
    file.write(data)
