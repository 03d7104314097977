"""RIFF/WAVE and its 64-bit forms: RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adm.source import FormatError
from shared.problems import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.adm.source import Source

FORMS = (b"RIFF", b"RF64", b"BW64")
UNDECLARED = 0xFFFFFFFF
MAX_CHUNKS = 4096
MAX_TABLE_ENTRIES = 4096

PCM = 1
EXTENSIBLE = 0xFFFE
# KSDATAFORMAT_SUBTYPE_PCM: the format tag followed by the fixed tail of its family.
_PCM_SUBTYPE = bytes.fromhex("0100000000001000800000aa00389b71")

_FIRST_CHUNK = 12
_CHUNK = struct.Struct("<4sI")
_DS64 = struct.Struct("<QQQI")
_FMT = struct.Struct("<HHIIHH")
_TABLE_ENTRY = struct.Struct("<4sQ")
_NAMES = frozenset({b"fmt ", b"data", b"axml", b"chna", b"dbmd", b"bext", b"JUNK", b"LIST"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: where its payload starts and how many bytes it claims.

    ``declared`` is False when the header says 0xFFFFFFFF and no ds64 chunk knows better; the chunk
    then reaches to the end of the file. ``padded`` is False when the size is odd and the next chunk
    follows at once.
    """

    name: str
    offset: int
    size: int
    declared: bool = True
    padded: bool = True

    @property
    def end(self) -> int:
        """The byte after the payload, without its pad byte."""
        return self.offset + self.size

    @property
    def next(self) -> int:
        """Where the next chunk starts: after the pad byte of an odd size."""
        return self.end + (self.size & 1 if self.padded else 0)


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
    """A walked file; ``declared_end`` is None when the header's size is not declared.

    ``wide`` holds the sizes of the ds64 chunk by chunk name, RIFF for the whole form: it is empty
    without such a chunk, a FormatError when it cannot be read.
    """

    form: str
    file_size: int
    declared_end: int | None
    chunks: tuple[Chunk, ...]
    fmt: Fmt | FormatError | None
    wide: dict[bytes, int] | FormatError

    @property
    def walked_end(self) -> int:
        """The byte after the last chunk and its pad byte."""
        return self.chunks[-1].next if self.chunks else _FIRST_CHUNK

    def chunk(self, name: str) -> Chunk | None:
        """Return the first chunk of this name."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)


def read_riff(source: Source) -> RiffFile:
    """Walk the chunks; raises FormatError when the file is not RIFF, RF64 or BW64 WAVE."""
    header = source.read(0, _FIRST_CHUNK)
    if header[:4] not in FORMS or header[8:] != b"WAVE":
        raise FormatError("Not a RIFF, RF64 or BW64 file")
    wide = _read_ds64(source) if header[:4] != b"RIFF" else {}
    sizes = {} if isinstance(wide, FormatError) else wide
    declared = _resolve(int.from_bytes(header[4:8], "little"), b"RIFF", sizes)
    end = None if declared is None else 8 + declared
    chunks = tuple(_walk(source, sizes, source.size if end is None else min(end, source.size)))
    return RiffFile(header[:4].decode(), source.size, end, chunks, _read_fmt(source, chunks), wide)


def _read_ds64(source: Source) -> dict[bytes, int] | FormatError:
    """Return the 64-bit sizes by chunk name, ``RIFF`` for the whole form; nothing without ds64."""
    name, size = _CHUNK.unpack(source.peek(_FIRST_CHUNK, 8).ljust(8, b"\0"))
    if name != b"ds64":
        return {}
    offset = _FIRST_CHUNK + _CHUNK.size
    head = source.peek(offset, min(size, _DS64.size))
    if len(head) < _DS64.size:
        return FormatError(f"The ds64 chunk has {len(head)} bytes", offset)
    riff_size, data_size, _, entries = _DS64.unpack(head)
    if entries > MAX_TABLE_ENTRIES or _DS64.size + entries * _TABLE_ENTRY.size > size:
        return FormatError(f"A ds64 chunk of {size} bytes announces {entries} sizes", offset)
    table = source.peek(offset + _DS64.size, entries * _TABLE_ENTRY.size)
    if len(table) < entries * _TABLE_ENTRY.size:
        return FormatError("The ds64 chunk is cut off", offset)
    return dict(_TABLE_ENTRY.iter_unpack(table)) | {b"RIFF": riff_size, b"data": data_size}


def _resolve(size: int, name: bytes, sizes: dict[bytes, int]) -> int | None:
    return size if size != UNDECLARED else sizes.get(name)


def _walk(source: Source, sizes: dict[bytes, int], limit: int) -> Iterator[Chunk]:
    """Yield the chunks, up to the first bytes that are no chunk's name, at most MAX_CHUNKS."""
    position = _FIRST_CHUNK
    for _ in range(MAX_CHUNKS):
        if position + _CHUNK.size > limit:
            return
        name, size32 = _CHUNK.unpack(source.read(position, _CHUNK.size))
        if not (name.isascii() and name.decode().isprintable()):
            return
        chunk = _chunk(source, name, position + _CHUNK.size, _resolve(size32, name, sizes))
        yield chunk
        position = chunk.next


def _chunk(source: Source, name: bytes, offset: int, size: int | None) -> Chunk:
    known = source.size - offset if size is None else size
    padded = not (known & 1 and source.peek(offset + known, 4) in _NAMES)
    return Chunk(name.decode(), offset, known, declared=size is not None, padded=padded)


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


def wave_format(riff: RiffFile, fmt: Fmt, bed_channels: int = 0, objects: int = 0) -> Format:
    """Return what the headers say of the samples; the counts are those of its metadata."""
    data = riff.chunk("data")
    frames = data.size // fmt.block_align if data and fmt.block_align else 0
    return Format(
        container=riff.form,
        codec="PCM" if fmt.is_pcm else f"format tag {fmt.tag:#06x}",
        sample_rate_hertz=fmt.sample_rate,
        bit_depth=fmt.bit_depth,
        channels=fmt.channels,
        bed_channels=bed_channels,
        objects=objects,
        duration_seconds=frames / fmt.sample_rate if fmt.sample_rate else 0.0,
    )
