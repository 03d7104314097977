"""What is delivered by mistake: ordinary audio, web pages, junk."""

from __future__ import annotations

import math
import struct

from tests.support.media import mp4
from tests.support.media.eac3 import plain_frames

HTML = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n"
JUNK = bytes(range(1, 200, 3)) * 64


def stereo_wave(seconds: float = 0.2, rate: int = 44_100) -> bytes:
    """Return a 16-bit stereo wave file with a tone."""
    frames = round(seconds * rate)
    tone = (round(8000 * math.sin(2 * math.pi * 440 * i / rate)) for i in range(frames))
    data = b"".join(struct.pack("<hh", value, value) for value in tone)
    fmt = struct.pack("<HHIIHH", 1, 2, rate, 4 * rate, 4, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def other_kinds() -> dict[str, tuple[bytes, str, str]]:
    """Return bytes, expected code and a word of the expected detail, by name."""
    ts = b"".join(b"G\x1f\xff\x10".ljust(188, b"\xff") for _ in range(8))
    mxf = bytes.fromhex("060e2b34020501010d0102010102040083000068").ljust(200, b"\0")
    truehd = bytes.fromhex("f0f40000f8726fba").ljust(200, b"\0")
    aac_mp4 = mp4.plain(mp4.Track(frames=(b"\x21\x00\x49\x90" * 8,) * 4, codec="mp4a"))
    encrypted = mp4.box("sinf", mp4.box("frma", b"ec-3"))
    locked = mp4.Track(frames=plain_frames(2), codec="enca", config=encrypted)
    return {
        "empty": (b"", "empty_file", "empty"),
        "html": (HTML, "source_is_html", "web page"),
        "junk": (JUNK, "not_recognised", "no known kind"),
        "stereo wave": (stereo_wave(), "no_atmos", "PCM in RIFF"),
        "raw ac-3": (b"".join(plain_frames(codec="ac3")), "no_atmos", "AC-3 in raw"),
        "raw e-ac-3": (b"".join(plain_frames()), "no_atmos", "E-AC-3 in raw"),
        "aac in mp4": (aac_mp4, "no_atmos", "AAC in MP4"),
        "adts": (b"\xff\xf1\x50\x80\x02\x1f\xfc".ljust(300, b"\x21"), "no_atmos", "AAC in ADTS"),
        "mp3": (b"\xff\xfb\x90\x64".ljust(417, b"\0"), "no_atmos", "MP3"),
        "flac": (b"fLaC\0\0\0\x22".ljust(100, b"\0"), "no_atmos", "FLAC"),
        "mpeg-ts": (ts, "no_atmos", "MPEG-TS"),
        "mxf": (mxf, "format_not_accepted", "MXF"),
        "truehd": (truehd, "format_not_accepted", "TrueHD"),
        "raw ac-4": (b"\xac\x40\x00\x10" + bytes(16), "format_not_accepted", "AC-4 in raw"),
        "encrypted": (mp4.plain(locked), "source_encrypted", "encrypted"),
    }
