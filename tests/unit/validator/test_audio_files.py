"""Stereo and mono masters: each number on both sides of its bound, and a FLAC file's own words."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from services.validator.decoding import Heard
from services.validator.formats.crc16 import crc16
from services.validator.formats.flac import (
    MAGIC,
    StreamInfo,
    check_first_frame,
    read_flac,
    read_header,
)
from services.validator.formats.iso_video import VideoTrack
from services.validator.rules import audio_file
from services.validator.rules.audio_file import AudioFile, FlacSound
from services.validator.rules.registry import judge
from shared.adm.source import FormatError, open_source
from shared.problems import Format
from tests.support.media.bits import Bits

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile

RATES = {44_100, 48_000, 88_200, 96_000, 176_400, 192_000}
TAKEN = {
    "cd": ({16}, {44_100}, {2}),
    "hd": ({24}, RATES, {2}),
    "audio_track": ({16, 24}, RATES, {1, 2}),
}
MD5, OTHER = b"m" * 16, b"o" * 16


@pytest.mark.parametrize("master_type", TAKEN)
def test_the_numbers_of_a_master_are_those_of_its_type(master_type: str, atmos: Profile) -> None:
    accepted = {
        (depth, rate, channels)
        for depth, rate, channels in product(
            (8, 16, 20, 24, 32), {22_050, 32_000, 64_000, 352_800, 384_000} | RATES, range(4)
        )
        if not judge(
            AudioFile(
                Format(bit_depth=depth, sample_rate_hertz=rate, channels=channels),
                pcm=True,
                allowed=audio_file.NUMBERS[master_type],
            ),
            atmos,
        )
    }

    assert accepted == set(product(*TAKEN[master_type]))


@pytest.mark.parametrize(
    ("frames", "depth", "heard", "codes"),
    [
        (100, 16, Heard(100, 0, MD5), []),
        (0, 16, Heard(100, 0, MD5), []),
        (0, 16, Heard(100, 0, OTHER), ["flac_md5_wrong"]),
        (100, 24, Heard(100, 0, OTHER), ["flac_md5_wrong"]),
        (100, 20, Heard(100, 0, OTHER), []),
        (101, 16, Heard(100, 0, OTHER), ["flac_length_wrong"]),
        (100, 16, Heard(100, 1, OTHER), ["flac_not_decodable"]),
        (100, 16, Heard(100, 0, OTHER, "cut"), ["flac_not_decodable"]),
        (101, 16, Heard(100, 0, OTHER, "cut"), ["flac_not_decodable"]),
    ],
)
def test_what_was_heard_is_compared_once(
    frames: int, depth: int, heard: Heard, codes: list[str], atmos: Profile
) -> None:
    sound = FlacSound(StreamInfo(44_100, 2, depth, frames, MD5), heard)

    assert [each.code for each in judge(sound, atmos)] == codes


def test_streaminfo_is_read_to_its_last_bit(tmp_path: Path) -> None:
    fields = Bits().put(20, 192_000).put(3, 7).put(5, 31).put(36, (1 << 36) - 1)
    path = tmp_path / "info.flac"
    path.write_bytes(MAGIC + b"\x80\0\0\x22" + bytes(10) + bytes(fields) + MD5)

    with open_source(path) as source:
        assert read_flac(source) == StreamInfo(192_000, 8, 32, (1 << 36) - 1, MD5, 42)


@pytest.mark.parametrize("head", [b"\x80\0\0\x23", b"\x84\0\0\x22"])
def test_streaminfo_comes_first_and_has_one_length(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "info.flac"
    path.write_bytes(MAGIC + head + bytes(35))

    with open_source(path) as source, pytest.raises(FormatError, match="not STREAMINFO"):
        read_flac(source)


def framed(head: bytes) -> bytes:
    remainder = 0
    for byte in head:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder << 1 ^ (0x107 if remainder & 0x80 else 0)
    return head + bytes([remainder])


@pytest.mark.parametrize(("code", "tail"), [(12, b"\x30"), (13, b"\xac\x44"), (14, b"\x11\x3a")])
def test_a_header_may_say_its_rate_itself(code: int, tail: bytes) -> None:
    head = framed(b"\xff\xf8" + bytes([0x10 | code, 0x18, 0]) + tail)

    assert read_header(head + b"sound").size == len(head)


def test_a_file_may_end_with_a_short_header() -> None:
    assert read_header(framed(b"\xff\xf8\x19\x18\0")).size == 6


@pytest.mark.parametrize(("junk", "told"), [(4095, False), (4096, True)])
def test_the_next_header_is_not_looked_for_without_end(
    junk: int, *, told: bool, tmp_path: Path
) -> None:
    first = framed(b"\xff\xf8\x19\x18\0") + b"\xff\xf8" * junk
    path = tmp_path / "frames"
    path.write_bytes(first + crc16(first).to_bytes(2) + framed(b"\xff\xf8\x19\x18\1") + b"more")
    with open_source(path) as source:
        info = StreamInfo(44_100, 2, 16, 0, MD5)
        if not told:
            check_first_frame(source, info)
            return
        with pytest.raises(FormatError, match="CRC-16"):
            check_first_frame(source, info)


def test_a_track_without_time_scale_has_no_time() -> None:
    track = VideoTrack("avc1", 1, 1, (1, 1), 0, {1: 400}, 1)

    assert (track.pictures, track.seconds, track.frame_rate) == (401, 0.0, 0.0)
