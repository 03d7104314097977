"""ADM BWF masters whose container or fmt chunk is wrong."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.adm.riff import MAX_CHUNKS, MAX_TABLE_ENTRIES
from tests.support.media.broken import SMALL, Broken, stored, wave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.demo.master import Wave

_RF64 = replace(SMALL, form="RF64")
_DS64_TABLE = 44
_PCM_SUBTYPE = bytes.fromhex("0100000000001000800000aa00389b71")


def files() -> list[Broken]:
    """Return every broken file."""
    return [*_sizes(), *_wide(), *_chunks(), *_formats()]


def _sizes() -> Iterator[Broken]:
    yield stored("file_truncated", "cut in the audio", lambda data: data[: len(data) // 2])
    yield stored("file_truncated", "cut in the last chunk", lambda data: data[:-100])
    yield stored("file_truncated", "RF64 cut", lambda data: data[: len(data) // 2], _RF64)
    yield wave("file_truncated", "header", lambda w: replace(w, riff_size=1 << 30))
    yield wave("riff_size_wrong", "RIFF too short", lambda w: replace(w, riff_size=20_000))
    yield stored("trailing_bytes", "after the end", lambda data: data + b"junk after the end")
    yield stored("trailing_bytes", "zeros inside", lambda data: _appended(data, bytes(64)))
    yield stored("pad_byte_missing", "axml", _unpadded)


def _appended(data: bytes, more: bytes) -> bytes:
    """Append bytes that the header counts."""
    return data[:4] + struct.pack("<I", len(data) + len(more) - 8) + data[8:] + more


def _unpadded(data: bytes) -> bytes:
    """Make axml one byte longer than it is padded for."""
    at = data.index(b"axml") + 4
    (size,) = struct.unpack_from("<I", data, at)
    end = at + 4 + size
    odd = b"\n" if size % 2 == 0 else b"\n\n"
    rest = data[end + size % 2 :]
    text = data[at + 4 : end] + odd
    whole = data[:at] + struct.pack("<I", len(text)) + text + rest
    return _appended(whole, b"")


def _wide() -> Iterator[Broken]:
    junk = b"JUNK"
    yield stored("size_undeclared", "no ds64", lambda d: d.replace(b"ds64", junk, 1), _RF64)
    yield stored("ds64_missing", "BW64", lambda data: b"BW64" + data[4:])
    yield stored("ds64_malformed", "table lies", _put(_DS64_TABLE, struct.pack("<I", 1)), _RF64)
    yield stored("ds64_malformed", "short", _short_ds64, _RF64)
    yield stored("ds64_malformed", "endless table", _endless_table, _RF64)
    yield stored("ds64_size_differs", "data", _two_sizes, _RF64)
    yield stored("ds64_not_first", "ds64 late", _late_ds64)
    yield stored("chunk_duplicated", "two ds64", _second_ds64, _RF64)


def _put(at: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + new + data[at + len(new) :]


def _short_ds64(data: bytes) -> bytes:
    return data[:16] + struct.pack("<I", 20) + data[20:40] + data[48:]


def _endless_table(data: bytes) -> bytes:
    """Fill a table with more sizes than are read, each of them in the chunk."""
    count = MAX_TABLE_ENTRIES + 1
    table = count * struct.pack("<4sQ", b"abcd", 4)
    ds64 = _resized(data[20:44], len(table)) + struct.pack("<I", count) + table
    return data[:16] + struct.pack("<I", len(ds64)) + ds64 + data[48:]


def _resized(sizes: bytes, more: int) -> bytes:
    whole, data, samples = struct.unpack("<QQQ", sizes)
    return struct.pack("<QQQ", whole + more, data, samples)


def _two_sizes(data: bytes) -> bytes:
    """State the size of the audio with 32 bits, and another one in ds64."""
    (size,) = struct.unpack_from("<Q", data, 28)
    at = data.index(b"data") + 4
    stated = data[:at] + struct.pack("<I", size) + data[at + 4 :]
    return stated[:28] + struct.pack("<Q", size + 30) + stated[36:]


def _second_ds64(data: bytes) -> bytes:
    more = data[12:48]
    return data[:20] + _resized(data[20:44], len(more)) + data[44:] + more


def _late_ds64(data: bytes) -> bytes:
    return data.replace(b"JUNK", b"ABCD", 1).replace(b"chna", b"ds64", 1)


def _chunks() -> Iterator[Broken]:
    second = b"chna" + struct.pack("<I", 4) + bytes(4)
    yield stored("chunk_duplicated", "two chna", lambda data: _appended(data, second))
    empty = struct.pack("<4sI", b"ABCD", 0) * MAX_CHUNKS
    yield stored("too_many_chunks", "empty ones", lambda data: _appended(data, empty))
    yield stored("fmt_missing", "no fmt", lambda data: data.replace(b"fmt ", b"FMT_", 1))
    yield wave("fmt_malformed", "short fmt", lambda w: replace(w, fmt=w.fmt[:14]))
    yield wave("fmt_malformed", "no channels", _fmt(1, 0))
    yield wave("data_missing", "no audio", lambda w: replace(w, data_size=0))
    yield stored("data_missing", "no data", lambda data: data.replace(b"data", b"DATA", 1))
    yield stored("fmt_after_data", "fmt late", _swapped)


def _swapped(data: bytes) -> bytes:
    """Move fmt behind data."""
    start, end = data.index(b"fmt "), data.index(b"data")
    at = data.index(b"axml")
    return data[:start] + data[end:at] + data[start:end] + data[at:]


def _formats() -> Iterator[Broken]:
    yield wave("not_pcm", "float", _fmt(0, 3))
    yield wave("fmt_extensible", "long form", _extensible)
    yield wave("bit_depth_not_allowed", "16 bits", _wide_16_bits)
    odd_rate = replace(SMALL, rate=44_100)
    yield wave("sample_rate_not_allowed", "44.1 kHz", lambda w: w, odd_rate)
    crowd = replace(SMALL, beds=("7.1.2", "2.0"), objects=117, seconds=0.01)
    yield wave("too_many_channels", "129", lambda w: w, crowd)
    yield wave("block_align_wrong", "block", _block_align)
    yield wave("byte_rate_wrong", "byte rate", _fmt(3, 1))
    yield wave("data_not_whole_frames", "odd", lambda w: replace(w, data_size=w.data_size - 2))


def _fmt(index: int, value: int) -> Callable[[Wave], Wave]:
    def change(wave: Wave) -> Wave:
        fields = list(struct.unpack("<HHIIHH", wave.fmt))
        fields[index] = value
        return replace(wave, fmt=struct.pack("<HHIIHH", *fields))

    return change


def _extensible(wave: Wave) -> Wave:
    more = struct.pack("<HHI", 22, 24, 0) + _PCM_SUBTYPE
    return replace(wave, fmt=struct.pack("<H", 0xFFFE) + wave.fmt[2:] + more)


def _block_align(wave: Wave) -> Wave:
    return _fmt(3, 48_000 * 40)(_fmt(4, 40)(wave))


def _wide_16_bits(wave: Wave) -> Wave:
    count = len(wave.chunks["chna"]) // 40
    fmt = struct.pack("<HHIIHH", 1, count, 48_000, 48_000 * 2 * count, 2 * count, 16)
    axml = wave.chunks["axml"].replace(b'bitDepth="24"', b'bitDepth="16"')
    data_size = wave.data_size // 3 * 2
    return replace(wave, fmt=fmt, data_size=data_size).with_chunk("axml", axml)
