"""MPEG transport streams: programme tables and packets (ISO/IEC 13818-1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.adm.source import Source

CONTAINER = "MPEG-TS"
MAX_KEPT = 8
_SYNC = 0x47
_SYNCS_CHECKED = 5
_LAYOUTS = ((188, 0), (192, 4), (204, 0))
_TABLES_WITHIN = 4 << 20
_PIECE_PACKETS = 4096
_MAX_SECTION_BYTES = 4096
_PAT, _PMT = 0x00, 0x02
_NULL_PID = 0x1FFF


@dataclass(frozen=True, slots=True)
class Layout:
    """How packets lie: bytes from one to the next, and bytes before each sync byte."""

    stride: int
    lead: int


@dataclass(frozen=True, slots=True)
class Elementary:
    """One elementary stream of the programme: its PID, type and descriptors by tag."""

    pid: int
    kind: int
    descriptors: tuple[tuple[int, bytes], ...]


@dataclass(slots=True)
class TransportStream:
    """What is wrong with the packets of one PID, by file offset of the first few."""

    size: int
    layout: Layout
    gaps: list[int] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    scrambled: list[int] = field(default_factory=list)
    broken: FormatError | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of interest: where it starts, its head's flags, and its payload."""

    offset: int
    starts: bool
    damaged: bool
    scrambled: bool
    discontinuous: bool
    counter: int
    payload: bytes


def find_layout(head: bytes) -> Layout | None:
    """Return how packets lie, by their sync bytes; None when this is no transport stream."""
    for stride, lead in _LAYOUTS:
        syncs = head[lead::stride][:_SYNCS_CHECKED]
        if len(syncs) > 1 and set(syncs) == {_SYNC}:
            return Layout(stride, lead)
    return None


def packets(source: Source, layout: Layout, pids: set[int], end: int) -> Iterator[Packet]:
    """Yield the packets of some PIDs up to an offset; raises FormatError when sync is lost."""
    step = layout.stride * _PIECE_PACKETS
    for start in range(0, end, step):
        piece = source.peek(start, step)
        for at in range(layout.lead, len(piece) - 187, layout.stride):
            if piece[at] != _SYNC:
                raise FormatError("A packet does not start with a sync byte", start + at)
            if (piece[at + 1] & 0x1F) << 8 | piece[at + 2] in pids:
                yield _packet(start + at, piece[at : at + 188])


def _packet(offset: int, data: bytes) -> Packet:
    has_field, has_payload = data[3] & 0x20, data[3] & 0x10
    field_bytes = 1 + data[4] if has_field else 0
    return Packet(
        offset=offset,
        starts=bool(data[1] & 0x40),
        damaged=bool(data[1] & 0x80),
        scrambled=bool(data[3] & 0xC0),
        discontinuous=field_bytes > 1 and bool(data[5] & 0x80),
        counter=data[3] & 0x0F,
        payload=data[4 + field_bytes :] if has_payload else b"",
    )


def read_programme(source: Source, layout: Layout) -> list[Elementary]:
    """Return the first programme's elementary streams.

    Raises FormatError when the tables contradict themselves or are not in the first few megabytes.
    """
    pat = _section(source, layout, 0, _PAT)
    for at in range(8, len(pat) - 4 - 3, 4):
        if pat[at : at + 2] != b"\0\0":
            pid = int.from_bytes(pat[at + 2 : at + 4]) & 0x1FFF
            return list(_streams(_section(source, layout, pid, _PMT)))
    raise FormatError("The stream has no programme")


def _section(source: Source, layout: Layout, pid: int, table: int) -> bytes:
    """Return the first whole section of a table, its checksum included."""
    held = b""
    for packet in packets(source, layout, {pid}, min(source.size, _TABLES_WITHIN)):
        if packet.starts and packet.payload:
            held = packet.payload[1 + packet.payload[0] :]
        elif held:
            held += packet.payload
        size = 3 + (int.from_bytes(held[1:3]) & 0xFFF)
        if held[:1] == bytes([table]) and len(held) >= size:
            return held[:size]
        if len(held) > _MAX_SECTION_BYTES:
            held = b""
    raise FormatError(f"The table of PID {pid} is missing")


def _streams(pmt: bytes) -> Iterator[Elementary]:
    at = 12 + (int.from_bytes(pmt[10:12]) & 0xFFF)
    while at + 5 <= len(pmt) - 4:
        size = int.from_bytes(pmt[at + 3 : at + 5]) & 0xFFF
        descriptors = pmt[at + 5 : at + 5 + size]
        pid = int.from_bytes(pmt[at + 1 : at + 3]) & 0x1FFF
        yield Elementary(pid, pmt[at], tuple(_descriptors(descriptors)))
        at += 5 + size


def _descriptors(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(data):
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
