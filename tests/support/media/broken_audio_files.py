"""Stereo and mono masters: each valid but for one thing, with the one code that must be found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.media.broken import Broken
from tests.support.media.flac import (
    CD,
    HD,
    MD5,
    MONO,
    STREAMINFO,
    Sound,
    audio_start,
    flac,
    fmt_chunk,
    wave,
)
from tests.support.media.others import ERROR_XML, JUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _file(code: str, name: str, make: Callable[[], bytes], master_type: str = "cd") -> Broken:
    return Broken(code, name, lambda path: path.write_bytes(make()), master_type=master_type)


def files() -> list[Broken]:
    """Return every broken file."""
    return [*_kinds(), *_numbers(), *_waves(), *_flacs()]


def _kinds() -> Iterator[Broken]:
    code = "master_type_differs"
    yield _file(code, "junk", lambda: JUNK)
    yield _file(code, "subtitles", lambda: JUNK, "subtitles")
    yield _file(code, "motion art", lambda: wave(CD), "apple_motion_art_desktop")
    yield _file("source_is_text", "cd", lambda: ERROR_XML)
    yield _file("empty_file", "hd", bytes, "hd")


def _numbers() -> Iterator[Broken]:
    depth, rate = "audio_bit_depth_not_allowed", "audio_sample_rate_not_allowed"
    channels = "audio_channels_not_allowed"
    makers: dict[str, Callable[[Sound], bytes]] = {"wave": wave, "flac": flac}
    for name, make in makers.items():
        yield _one(depth, f"{name} cd of 24 bits", make, replace(CD, bits=24), "cd")
        yield _one(depth, f"{name} hd of 16 bits", make, replace(HD, bits=16), "hd")
        yield _one(rate, f"{name} cd of 48 kHz", make, replace(CD, rate=48_000), "cd")
        yield _one(rate, f"{name} hd of 32 kHz", make, replace(HD, rate=32_000), "hd")
        yield _one(channels, f"{name} mono cd", make, replace(CD, channels=1), "cd")
        yield _one(channels, f"{name} mono hd", make, replace(HD, channels=1), "hd")
    surround = replace(MONO, channels=3)
    yield _one(channels, "three channels", wave, surround, "audio_track")
    low = replace(MONO, rate=22_050)
    yield _one(rate, "low", wave, low, "audio_track")


def _one(
    code: str, name: str, make: Callable[[Sound], bytes], sound: Sound, master_type: str
) -> Broken:
    return _file(code, name, lambda: make(sound), master_type)


def _waves() -> Iterator[Broken]:
    yield _file("audio_not_pcm", "float", lambda: wave(CD, fmt_chunk(CD, tag=3)))
    yield _file("audio_block_align_wrong", "three", lambda: wave(CD, fmt_chunk(CD, align=3)))
    yield _file("audio_not_whole_frames", "cut", lambda: wave(CD, cut=2))


def _flacs() -> Iterator[Broken]:
    yield _file("flac_malformed", "no STREAMINFO", lambda: _put(flac(CD), 4, b"\x01"))
    yield _file("flac_malformed", "another length", lambda: _put(flac(CD), 7, b"\x23"))
    yield _file("flac_malformed", "cut in the metadata", lambda: flac(CD)[:50])
    yield _file("flac_malformed", "forbidden block", _forbidden)
    yield _file("flac_malformed", "endless metadata", _endless)
    yield _file("flac_malformed", "block past the end", _overlong)
    yield _file("flac_first_frame_wrong", "no frame", lambda: _flip(flac(CD), 0))
    yield _file("flac_first_frame_wrong", "CRC-8", lambda: _flip(flac(CD), 5))
    yield _file("flac_first_frame_wrong", "CRC-16", lambda: _flip(flac(CD), 200))
    yield _file("flac_md5_missing", "zeros", lambda: _put(flac(CD), MD5, bytes(16)))
    yield _file("flac_md5_wrong", "16 bits", lambda: _put(flac(CD), MD5, b"\1" * 16))
    yield _file("flac_md5_wrong", "24 bits", lambda: _put(flac(HD), MD5, b"\1" * 16), "hd")
    yield _file("flac_not_decodable", "late", lambda: _put(flac(CD), len(flac(CD)) - 500, b"\0"))
    yield _file("flac_length_wrong", "more", lambda: _announced(CD.frames + 1))


def _put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _flip(data: bytes, index: int) -> bytes:
    """Change a bit of the first frame."""
    at = audio_start(data) + index
    return _put(data, at, bytes([data[at] ^ 0x10]))


def _forbidden() -> bytes:
    """Call the block behind STREAMINFO one that may not be."""
    data = flac(CD)
    at = STREAMINFO + 34
    return _put(data, at, bytes([data[at] | 0x7F]))


def _overlong() -> bytes:
    """Let the last block announce more than there is."""
    data = flac(CD)
    at = STREAMINFO + 34
    while not data[at] & 0x80:
        at += 4 + int.from_bytes(data[at + 1 : at + 4])
    return _put(data, at + 1, b"\xff\xff\xff")


def _endless() -> bytes:
    data = flac(CD)
    at = STREAMINFO + 34
    return data[:at] + b"\1\0\0\0" * 2000 + data[at:]


def _announced(frames: int) -> bytes:
    """Say another length in STREAMINFO: the low 32 of 36 bits."""
    return _put(flac(CD), STREAMINFO + 14, frames.to_bytes(4))
