"""The dbmd chunk: Dolby's metadata segments (EBU Tech 3285 s6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from shared.adm.riff import Chunk
    from shared.adm.source import Source

MAX_DBMD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; ``offset`` is its first byte in the file."""

    kind: int
    offset: int
    payload: bytes
    checksum: int

    @property
    def expected_checksum(self) -> int:
        """Two's complement of the low byte of the size plus all bytes, modulo 256."""
        return -((len(self.payload) & 0xFF) + sum(self.payload)) & 0xFF


@dataclass(frozen=True, slots=True)
class Dbmd:
    """The segments in their order; ``version`` as its four numbers, the most significant first."""

    version: tuple[int, ...]
    segments: tuple[Segment, ...]

    def segment(self, kind: int) -> Segment | None:
        """Return the first segment of this kind."""
        return next((segment for segment in self.segments if segment.kind == kind), None)


def read_dbmd(source: Source, chunk: Chunk) -> Dbmd:
    """Walk the segments; raises FormatError when one leaves the chunk or none is the last."""
    if chunk.size > MAX_DBMD_BYTES:
        raise FormatError(
            f"A dbmd chunk of {chunk.size} bytes is too long to be real", chunk.offset
        )
    payload = source.read(chunk.offset, chunk.size)
    segments: list[Segment] = []
    position = 4
    while (kind := _byte(payload, position, chunk.offset)) != 0:
        size = int.from_bytes(payload[position + 1 : position + 3], "little")
        body = payload[position + 3 : position + 3 + size]
        checksum = _byte(payload, position + 3 + size, chunk.offset)
        segments.append(Segment(kind, chunk.offset + position, body, checksum))
        position += size + 4
    return Dbmd(tuple(reversed(payload[:4])), tuple(segments))


def _byte(payload: bytes, position: int, base: int) -> int:
    if position >= len(payload):
        raise FormatError("A dbmd segment reaches past its chunk, or has no end", base + position)
    return payload[position]
