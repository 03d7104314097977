"""RIFF/WAVE and its 64-bit forms: RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.source import FormatError

if TYPE_CHECKING:
    from services.validator.formats.source import Source

FORMS = (b"RIFF", b"RF64", b"BW64")
UNDECLARED = 0xFFFFFFFF
MAX_CHUNKS = 4096
MAX_TABLE_ENTRIES = 4096

PCM = 1
EXTENSIBLE = 0xFFFE
# KSDATAFORMAT_SUBTYPE_PCM: the format tag followed by the fixed tail of its family.
_PCM_SUBTYPE = bytes.fromhex("0100000000001000800000aa00389b71")

_CHUNK = struct.Struct("<4sI")
_DS64 = struct.Struct("<QQQI")
_FMT = struct.Struct("<HHIIHH")
_TABLE_ENTRY = struct.Struct("<4sQ")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: where its payload starts and how many bytes it claims.

    ``declared`` is False when the header says 0xFFFFFFFF and no ds64 chunk knows better; the chunk
    then reaches to the end of the file.
    """

    name: str
    offset: int
    size: int
    declared: bool = True

    @property
    def end(self) -> int:
        """The byte after the payload, without its pad byte."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Fmt:
    """The ``fmt `` chunk; rates in hertz and bytes per second, ``block_align`` in bytes."""

    tag: int
    channels: int
    sample_rate: int
    byte_rate: int
    block_align: int
    bit_depth: int
    subformat: bytes = b""

    @property
    def is_pcm(self) -> bool:
        """Whether the samples are integer PCM."""
        return self.tag == PCM or (self.tag == EXTENSIBLE and self.subformat == _PCM_SUBTYPE)


@dataclass(frozen=True, slots=True)
class RiffFile:
    """A walked file; ``declared_end`` is None when the header's size is not declared."""

    form: str
    file_size: int
    declared_end: int | None
    chunks: tuple[Chunk, ...]
    fmt: Fmt | FormatError | None

    def chunk(self, name: str) -> Chunk | None:
        """Return the first chunk of this name."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)


def read_riff(source: Source) -> RiffFile:
    """Walk the chunks; raises FormatError when the file is not RIFF, RF64 or BW64 WAVE."""
    header = source.read(0, 12)
    if header[:4] not in FORMS or header[8:] != b"WAVE":
        raise FormatError("Not a RIFF, RF64 or BW64 file")
    sizes = _read_ds64(source) if header[:4] != b"RIFF" else {}
    declared = _resolve(int.from_bytes(header[4:8], "little"), b"RIFF", sizes)
    end = None if declared is None else 8 + declared
    chunks = _walk(source, sizes, source.size if end is None else min(end, source.size))
    return RiffFile(header[:4].decode(), source.size, end, chunks, _read_fmt(source, chunks))


def _read_ds64(source: Source) -> dict[bytes, int]:
    """Return the 64-bit sizes, by chunk name; ``RIFF`` is the whole form's."""
    name, size = _CHUNK.unpack(source.peek(12, 8).ljust(8, b"\0"))
    if name != b"ds64" or size < _DS64.size:
        return {}
    payload = source.peek(20, min(size, _DS64.size + MAX_TABLE_ENTRIES * _TABLE_ENTRY.size))
    if len(payload) < _DS64.size:
        return {}
    riff_size, data_size, _, entries = _DS64.unpack_from(payload)
    table = payload[_DS64.size :][: entries * _TABLE_ENTRY.size]
    whole = len(table) - len(table) % _TABLE_ENTRY.size
    return dict(_TABLE_ENTRY.iter_unpack(table[:whole])) | {b"RIFF": riff_size, b"data": data_size}


def _resolve(size: int, name: bytes, sizes: dict[bytes, int]) -> int | None:
    return size if size != UNDECLARED else sizes.get(name)


def _walk(source: Source, sizes: dict[bytes, int], limit: int) -> tuple[Chunk, ...]:
    chunks: list[Chunk] = []
    position = 12
    while position + 8 <= limit and len(chunks) < MAX_CHUNKS:
        name, size32 = _CHUNK.unpack(source.read(position, 8))
        size = _resolve(size32, name, sizes)
        payload = position + 8
        known = source.size - payload if size is None else size
        chunks.append(Chunk(name.decode("latin-1"), payload, known, declared=size is not None))
        position = payload + known + (known & 1)
    return tuple(chunks)


def _read_fmt(source: Source, chunks: tuple[Chunk, ...]) -> Fmt | FormatError | None:
    chunk = next((chunk for chunk in chunks if chunk.name == "fmt "), None)
    if chunk is None:
        return None
    if chunk.size < _FMT.size:
        return FormatError(f"The fmt chunk has {chunk.size} bytes", chunk.offset)
    payload = source.peek(chunk.offset, min(chunk.size, 40))
    if len(payload) < _FMT.size:
        return FormatError("The fmt chunk is cut off", chunk.offset)
    tag, channels, rate, byte_rate, block_align, bits = _FMT.unpack_from(payload)
    return Fmt(tag, channels, rate, byte_rate, block_align, bits, payload[24:40])
