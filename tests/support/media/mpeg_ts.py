"""MPEG transport streams with one stream of sound (ISO/IEC 13818-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PMT_PID, SOUND_PID = 0x100, 0x101
EAC3, EAC3_DVB, AC4_DVB = (0x87, b""), (0x06, b"\x7a\x01\x00"), (0x06, b"\x7f\x02\x15\x00")
TRUEHD = (0x83, b"")
_POLYNOMIAL = 0x04C11DB7


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is carried: the frames, stream type and descriptors, and how packets lie."""

    frames: tuple[bytes, ...]
    kind: tuple[int, bytes] = EAC3
    stride: int = 188
    optional: bytes = b"\x21\x00\x01\x00\x01"
    core: tuple[bytes, ...] = ()


def transport_stream(stream: Stream) -> bytes:
    """Return a file: the tables, then one PES packet for each frame."""
    result = [*_packets(0, [b"\0" + pat()]), *_packets(PMT_PID, [b"\0" + pmt(stream.kind)])]
    result += _packets(SOUND_PID, _pes_packets(stream))
    return b"".join(_laid_out(packet, stream.stride) for packet in result)


def pat() -> bytes:
    """Return a programme association section with one programme."""
    return section(0, b"\0\1\xc1\0\0\0\1" + (0xE000 | PMT_PID).to_bytes(2))


def pmt(kind: tuple[int, bytes]) -> bytes:
    """Return a programme map section with one stream of sound."""
    number, descriptors = kind
    pid = (0xE000 | SOUND_PID).to_bytes(2)
    entry = bytes([number]) + pid + (0xF000 | len(descriptors)).to_bytes(2) + descriptors
    return section(2, b"\0\1\xc1\0\0" + pid + b"\xf0\0" + entry)


def section(table: int, body: bytes) -> bytes:
    """Return a section with its length and checksum."""
    data = bytes([table]) + (0xB000 | len(body) + 4).to_bytes(2) + body
    return data + _crc32(data).to_bytes(4)


def _crc32(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
    return value


def _pes_packets(stream: Stream) -> list[bytes]:
    """Return PES packets; the core's, as on Blu-ray, carry a stream_id_extension."""
    result = []
    for index, frame in enumerate(stream.frames):
        if stream.core:
            result.append(_pes(stream.core[index], b"\x81\x81", _extended(stream, 0x76), 0xFD))
            result.append(_pes(frame, b"\x81\x81", _extended(stream, 0x72), 0xFD))
        else:
            result.append(_pes(frame, b"\x80\x80", stream.optional, 0xBD))
    return result


def _extended(stream: Stream, extension: int) -> bytes:
    return stream.optional + bytes([0x01, 0x81, extension])


def _pes(frame: bytes, flags: bytes, optional: bytes, stream_id: int) -> bytes:
    body = flags + bytes([len(optional)]) + optional + frame
    return b"\0\0\1" + bytes([stream_id]) + len(body).to_bytes(2) + body


def _packets(pid: int, units: Iterable[bytes]) -> list[bytes]:
    result: list[bytes] = []
    for unit in units:
        for at in range(0, len(unit), 184):
            head = (0x4000 * (at == 0) | pid).to_bytes(2)
            result.append(_packet(head, len(result) & 0x0F, unit[at : at + 184]))
    return result


def _packet(head: bytes, counter: int, piece: bytes) -> bytes:
    if len(piece) == 184:
        return b"G" + head + bytes([0x10 | counter]) + piece
    stuffing = 183 - len(piece)
    filled = bytes([stuffing]) + b"\0" * bool(stuffing) + b"\xff" * max(0, stuffing - 1)
    return b"G" + head + bytes([0x30 | counter]) + filled + piece


def _laid_out(packet: bytes, stride: int) -> bytes:
    return {188: b"", 192: bytes(4), 204: b""}[stride] + packet + bytes(16 * (stride == 204))
