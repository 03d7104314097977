"""MP4 files and transport streams that are wrong in one thing, and files of the wrong kind."""

from __future__ import annotations

import struct

from tests.support.media import mp4, mpeg_ts
from tests.support.media.broken import Broken, raw
from tests.support.media.eac3 import joc_frames, joc_mp4
from tests.support.media.others import other_kinds

_PACKET = 188


def files() -> list[Broken]:
    """Return one file or more for each rule of the containers and of what a file is."""
    others = [_other(name, *other) for name, other in other_kinds().items()]
    return [*_mp4_files(), *_ts_files(), *others]


def _other(name: str, data: bytes, code: str, _word: str) -> Broken:
    return raw(code, name, lambda: data)


def _changed(code: str, name: str, old: bytes, new: bytes) -> Broken:
    """Describe an MP4 file in which the first ``old`` is ``new``."""

    def make() -> bytes:
        data = joc_mp4()
        assert old in data
        return data.replace(old, new, 1)

    return raw(code, name, make)


def _words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _mp4_files() -> list[Broken]:
    no_moov = mp4.box("ftyp", b"isom", bytes(4))
    long_box = _words(1) + b"free" + b"\x7f" * 8
    return [
        raw("file_truncated", "mdat cut", lambda: joc_mp4()[:-1000]),
        raw("file_truncated", "fragment cut", lambda: _fragments()[:-1000]),
        raw("file_truncated", "a 64-bit size", lambda: joc_mp4() + long_box),
        raw("sound_track_missing", "no moov", lambda: no_moov),
        raw("mp4_samples_overlap", "one byte shared", _overlap),
        *_malformed(),
    ]


def _malformed() -> list[Broken]:
    code = "mp4_malformed"
    head, one = b"\0\0\0\x20mdhd", _words(0, 1)
    return [
        _changed(code, "box of 3 bytes", head, b"\0\0\0\x03mdhd"),
        _changed(code, "leaves parent", b"stsd" + one + b"\0\0\0", b"stsd" + one + b"\0\0\x7f"),
        _changed(code, "stts lies", b"stts" + one, b"stts" + _words(0, 99)),
        _changed(code, "stsc lies", b"stsc" + one, b"stsc" + _words(0, 1 << 30)),
        _changed(code, "stco lies", b"stco" + one, b"stco" + _words(0, 1 << 29)),
        _changed(code, "stsz lies", b"stsz" + _words(0, 0, 8), b"stsz" + _words(0, 0, 99)),
        _changed(code, "from chunk 0", b"stsc" + _words(0, 1, 1), b"stsc" + _words(0, 1, 0)),
        raw(code, "run cut", lambda: _fragments().replace(_words(4), _words(4000), 1)),
    ]


def _fragments() -> bytes:
    return mp4.fragmented(mp4.Track(frames=joc_frames(), config=mp4.dec3()))


def _overlap() -> bytes:
    """Let the second of two fragments start a byte too early, in the first one's samples."""
    data = _fragments()
    at = data.rindex(b"trun") + 12
    offset = struct.unpack_from(">i", data, at)[0]
    early = struct.pack(">i", offset - 8 - len(joc_frames()[0]) * 4)
    return data[:at] + early + data[at + 4 :]


def _ts() -> bytes:
    return mpeg_ts.transport_stream(mpeg_ts.Stream(frames=joc_frames()))


def _packet_changed(index: int, at: int, value: int) -> bytes:
    data = bytearray(_ts())
    data[index * _PACKET + at] ^= value
    return bytes(data)


def _lost_count() -> bytes:
    """Count on by one too many from the twentieth packet on, without losing one."""
    data = bytearray(_ts())
    for at in range(20 * _PACKET + 3, len(data), _PACKET):
        data[at] = data[at] & 0xF0 | data[at] + 1 & 0x0F
    return bytes(data)


def _ts_files() -> list[Broken]:
    return [
        raw("ts_malformed", "sync lost", lambda: _packet_changed(30, 0, 0x01)),
        raw("ts_malformed", "no PES head", lambda: _packet_changed(2, 6, 0x01)),
        raw("file_truncated", "inside a packet", lambda: _ts()[:-50]),
        raw("ts_continuity_error", "a jump", _lost_count),
        raw("ts_packet_damaged", "marked", lambda: _packet_changed(30, 1, 0x80)),
        raw("source_encrypted", "scrambled", lambda: _packet_changed(30, 3, 0x80)),
        raw("frame_broken", "packets of the end lost", lambda: _ts()[: -2 * _PACKET]),
        raw("frame_crc_wrong", "a bit in TS", lambda: _packet_changed(30, 100, 0x10)),
    ]
