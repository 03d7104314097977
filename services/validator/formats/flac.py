"""FLAC: the metadata blocks, and the first frame with both of its checksums (RFC 9639)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from services.validator.formats.crc16 import crc16
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from shared.adm.source import Source

MAGIC = b"fLaC"
MAX_METADATA_BLOCKS = 1024
# The longest block of eight channels of 32 bits, uncoded.
MAX_FRAME_BYTES = 1 << 21
_STREAMINFO, _STREAMINFO_BYTES, _FORBIDDEN = 0, 34, 127
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_LONGEST_HEADER = 16
# A frame of sound has a handful of places that look like a header; junk may have a million.
_MAX_CANDIDATES = 4096


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the first block says: hertz, bits, sample frames; 0 frames and a zero md5 are unknown.

    ``audio`` is the offset of the first frame.
    """

    sample_rate: int
    channels: int
    bit_depth: int
    frames: int
    md5: bytes
    audio: int = 0


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """A frame's header: its length in bytes, its samples and its number, or that of its sample."""

    size: int
    variable: bool
    samples: int
    number: int

    @property
    def next_number(self) -> int:
        """The number that the frame after it has."""
        return self.number + (self.samples if self.variable else 1)


def read_flac(source: Source) -> StreamInfo:
    """Read STREAMINFO and pass over the other blocks; raises FormatError when they are broken."""
    if source.read(0, 4) != MAGIC:
        raise FormatError("The file does not start with fLaC")
    kind, size = source.read(4, 1)[0] & 0x7F, int.from_bytes(source.read(5, 3))
    if (kind, size) != (_STREAMINFO, _STREAMINFO_BYTES):
        raise FormatError("The first metadata block is not STREAMINFO", 4)
    return _stream_info(source.read(8, _STREAMINFO_BYTES), _audio_offset(source))


def _stream_info(block: bytes, audio: int) -> StreamInfo:
    fields = int.from_bytes(block[10:18])
    return StreamInfo(
        sample_rate=fields >> 44,
        channels=(fields >> 41 & 7) + 1,
        bit_depth=(fields >> 36 & 31) + 1,
        frames=fields & (1 << 36) - 1,
        md5=block[18:],
        audio=audio,
    )


def _audio_offset(source: Source) -> int:
    """Return where the blocks end."""
    at = len(MAGIC)
    for _ in range(MAX_METADATA_BLOCKS):
        head = source.read(at, 4)
        if head[0] & 0x7F == _FORBIDDEN:
            raise FormatError("A metadata block has a type that is not allowed", at)
        at += 4 + int.from_bytes(head[1:])
        if at > source.size:
            raise FormatError("A metadata block reaches past the end of the file", at)
        if head[0] & 0x80:
            return at
    raise FormatError(f"There are more than {MAX_METADATA_BLOCKS} metadata blocks", at)


def read_header(data: bytes) -> FrameHeader:
    """Read a frame's header; raises FormatError when it is none or its CRC-8 is wrong."""
    if not _SYNC.match(data):
        raise FormatError("There is no frame")
    # A frame of silence may be shorter than the longest header.
    data = data[:_LONGEST_HEADER].ljust(_LONGEST_HEADER, b"\0")
    block_code, rate_code = data[2] >> 4, data[2] & 15
    number, at = _coded_number(data)
    samples = _block_samples(block_code, data[at : at + 2])
    at += {6: 1, 7: 2}.get(block_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if _crc8(data[:at]) != data[at]:
        raise FormatError("The CRC-8 of a frame's header is wrong")
    return FrameHeader(at + 1, bool(data[1] & 1), samples, number)


def _coded_number(data: bytes) -> tuple[int, int]:
    """Return the number that is coded as in UTF-8, and where it ends."""
    first = data[4]
    ones = 8 - (first ^ 0xFF).bit_length()
    number = first & 0x7F >> ones
    for byte in data[5 : 4 + ones]:
        number = number << 6 | byte & 0x3F
    return number, 4 + max(ones, 1)


def _block_samples(code: int, tail: bytes) -> int:
    if code in (6, 7):
        return int.from_bytes(tail[: code - 5]) + 1
    if code & 8:
        return 256 << (code & 7)
    return 192 if code == 1 else 576 << max(code - 2, 0)


def _crc8(data: bytes) -> int:
    """Return the remainder modulo x^8 + x^2 + x + 1, from 0."""
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder << 1 ^ (0x107 if remainder & 0x80 else 0)
    return remainder


def check_first_frame(source: Source, info: StreamInfo) -> None:
    """Check both checksums of the first frame; raises FormatError when one is wrong."""
    data = source.peek(info.audio, MAX_FRAME_BYTES)
    try:
        header = read_header(data)
    except FormatError as error:
        raise FormatError(error.detail, info.audio) from error
    if crc16(data[: _end(data, header)]):
        raise FormatError("The CRC-16 of the first frame is wrong", info.audio)


def _end(data: bytes, first: FrameHeader) -> int:
    """Return where the first frame ends: at the header that is next in order, or at the end."""
    for found in islice(_SYNC.finditer(data, first.size), _MAX_CANDIDATES):
        try:
            header = read_header(data[found.start() : found.start() + _LONGEST_HEADER])
        except FormatError:
            continue
        if header.number == first.next_number and header.variable == first.variable:
            return found.start()
    return len(data)
