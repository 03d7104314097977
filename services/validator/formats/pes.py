"""Elementary streams out of transport packets: continuity and PES heads (ISO/IEC 13818-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats import mpeg_ts
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.mpeg_ts import Packet, TransportStream
    from shared.adm.source import Source

_START_CODE = b"\0\0\1"
_FIXED_HEAD = 9
_AC3_CORE = 0x76


def elementary(source: Source, stream: TransportStream, pid: int) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes that the PES packets of a PID carry, each piece with its file offset.

    What is wrong with the packets is noted in ``stream``. The AC-3 core that a Blu-ray interleaves
    with TrueHD under the same PID is left out. Raises FormatError when a PES head is none.
    """
    pes = _Pes()
    for packet in _in_order(mpeg_ts.packets(source, stream.layout, {pid}, source.size), stream):
        piece = pes.strip(packet)
        if piece:
            yield packet.offset + 188 - len(piece), piece


def _in_order(packets: Iterator[Packet], stream: TransportStream) -> Iterator[Packet]:
    """Pass packets on, without repetitions; note gaps, damage and scrambling."""
    last: Packet | None = None
    for packet in packets:
        if packet.damaged:
            _keep(stream.damaged, packet.offset)
        if packet.scrambled:
            _keep(stream.scrambled, packet.offset)
        if not packet.payload:
            continue
        if last and not packet.discontinuous:
            if packet.counter == last.counter and packet.payload == last.payload:
                continue
            if packet.counter != (last.counter + 1) & 0x0F:
                _keep(stream.gaps, packet.offset)
        last = packet
        yield packet


def _keep(offsets: list[int], offset: int) -> None:
    if len(offsets) < mpeg_ts.MAX_KEPT:
        offsets.append(offset)


class _Pes:
    """Strips the heads off PES packets (§2.4.3.6), which may go on in the next packet."""

    def __init__(self) -> None:
        self._skip = 0
        self._wanted = False

    def strip(self, packet: Packet) -> bytes:
        """Return what a transport packet carries of the elementary stream."""
        piece = packet.payload
        if packet.starts:
            self._open(piece, packet.offset)
        if not self._wanted:
            return b""
        rest, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
        return rest

    def _open(self, piece: bytes, offset: int) -> None:
        if len(piece) < _FIXED_HEAD or piece[:3] != _START_CODE:
            raise FormatError("A PES packet does not start with its start code", offset)
        self._skip = _FIXED_HEAD + piece[8]
        self._wanted = _extension(piece[: self._skip]) != _AC3_CORE


def _extension(head: bytes) -> int | None:
    """Return stream_id_extension, None when the head has none."""
    flags, at = head[7], _FIXED_HEAD
    at += {2: 5, 3: 10}.get(flags >> 6, 0)
    at += sum(size for bit, size in _OPTIONAL if flags & bit)
    if not flags & 1 or at >= len(head):
        return None
    more = head[at]
    at += 1 + 16 * bool(more & 0x80)
    if more & 0x40:
        at += 1 + head[at] if at < len(head) else 0
    at += 2 * bool(more & 0x20) + 2 * bool(more & 0x10)
    if not more & 1 or at + 1 >= len(head) or head[at + 1] & 0x80:
        return None
    return head[at + 1] & 0x7F


_OPTIONAL = ((0x20, 6), (0x10, 3), (0x08, 1), (0x04, 1), (0x02, 2))
