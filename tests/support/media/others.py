"""What is delivered by mistake: ordinary audio, archives, web pages, junk."""

from __future__ import annotations

import math
import struct

from tests.support.media import mp4, mpeg_ts
from tests.support.media.eac3 import plain_frames

HTML = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n"
JUNK = bytes(range(1, 200, 3)) * 64
ERROR_XML = b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'
DAMF = b"version: 0.5.1\npresentations:\n  - type: home\n"
DAMF_METADATA = b"sampleRate: 48000\nevents:\n  - ID: 10\n    samplePos: 0\n"

Other = tuple[bytes, str, str]


def stereo_wave(seconds: float = 0.2, rate: int = 44_100) -> bytes:
    """Return a 16-bit stereo wave file with a tone."""
    frames = round(seconds * rate)
    tone = (round(8000 * math.sin(2 * math.pi * 440 * i / rate)) for i in range(frames))
    data = b"".join(struct.pack("<hh", value, value) for value in tone)
    fmt = struct.pack("<HHIIHH", 1, 2, rate, 4 * rate, 4, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def other_kinds() -> dict[str, Other]:
    """Return bytes, expected code and a word of the expected detail, by name."""
    no_audio = {
        "empty": (b"", "empty_file", "empty"),
        "html": (HTML, "source_is_html", "web page"),
        "xml": (ERROR_XML, "source_is_text", "XML document"),
        "json": (b'{"error": "link expired"}', "source_is_text", "JSON document"),
        "text": (b"404 page not found\n", "source_is_text", "text file"),
        "junk": (JUNK, "not_recognised", "no known kind"),
    }
    groups = (_unwrapped(), _streams(), _files(), _tracks(), _transport(), _masters())
    return no_audio | {name: other for group in groups for name, other in group.items()}


def _unwrapped() -> dict[str, Other]:
    """Return archives, documents and images."""
    heads = {
        "ZIP archive": b"PK\x03\x04",
        "gzip file": b"\x1f\x8b\x08",
        "7-Zip archive": b"7z\xbc\xaf\x27\x1c",
        "RAR archive": b"Rar!\x1a\x07\x01\0",
        "tar archive": bytes(257) + b"ustar\x0000",
        "PDF document": b"%PDF-1.7",
        "PNG image": b"\x89PNG\r\n\x1a\n",
        "JPEG image": b"\xff\xd8\xff\xe0",
        "GIF image": b"GIF89a",
        "WebP image": b"RIFF\0\0\0\0WEBP",
        "TIFF image": b"II*\0",
    }
    return {name: (head.ljust(400, b"\0"), "not_recognised", name) for name, head in heads.items()}


def _streams() -> dict[str, Other]:
    """Return raw streams of other codecs."""
    adts = b"\xff\xf1\x50\x80\x02\x1f\xfc".ljust(300, b"\x21")
    plain = {
        "raw ac-3": (b"".join(plain_frames(codec="ac3")), "AC-3 in raw"),
        "raw e-ac-3": (b"".join(plain_frames()), "E-AC-3 in raw"),
        "adts": (adts, "AAC in ADTS"),
        "mp3": (b"\xff\xfb\x90\x64".ljust(417, b"\0"), "MP3"),
        "mlp": (bytes.fromhex("f0f40000f8726fbb").ljust(200, b"\0"), "MLP"),
        "dts": (b"\x7f\xfe\x80\x01".ljust(200, b"\0"), "DTS"),
        "dts-hd": (b"\x64\x58\x20\x25".ljust(200, b"\0"), "DTS-HD"),
    }
    return {name: (data, "no_atmos", word) for name, (data, word) in plain.items()}


def _files() -> dict[str, Other]:
    """Return files of ordinary sound."""
    heads = {
        "stereo wave": (stereo_wave(), "PCM in RIFF"),
        "flac": (b"fLaC\0\0\0\x22", "FLAC"),
        "opus": (b"OggS".ljust(28, b"\0") + b"OpusHead", "Opus in Ogg"),
        "ogg": (b"OggS".ljust(28, b"\0"), "Ogg"),
        "aiff": (b"FORM\0\0\0\x40AIFFCOMM", "PCM in AIFF"),
        "caf": (_caf(2), "PCM in CAF"),
        "w64": (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0", "PCM in W64"),
        "dsf": (b"DSD \x1c\0\0\0\0\0\0\0", "DSD in DSF"),
        "dff": (b"FRM8\0\0\0\0\0\0\0\x40DSD ", "DSD in DSDIFF"),
        "matroska": (_MATROSKA + b"matroska\x86\x88A_TRUEHD", "TrueHD in Matroska"),
        "webm": (_MATROSKA + b"webm\x86\x86A_OPUS", "Opus in WebM"),
        "pcm in mxf": (mxf("0d01030102060100"), "PCM in MXF"),
    }
    return {
        name: (head.ljust(200, b"\0"), "no_atmos", word) for name, (head, word) in heads.items()
    }


_MATROSKA = b"\x1a\x45\xdf\xa3\x93\x42\x82\x88"


def _caf(channels: int) -> bytes:
    desc = struct.pack(">d4s5I", 48_000.0, b"lpcm", 0, 3 * channels, 1, channels, 24)
    return b"caff\0\1\0\0desc" + struct.pack(">q", len(desc)) + desc


def mxf(label: str, coding: str = "") -> bytes:
    """Return the head of an MXF file with one essence container, and one descriptor."""
    key = bytes.fromhex("060e2b34020501010d01020101020400")
    container = bytes.fromhex("060e2b3404010101" + label.ljust(16, "0"))
    pack = bytes(80) + struct.pack(">2I", 1, 16) + container
    coded = bytes.fromhex("060e2b3404010105" + coding.ljust(16, "0"))
    items = struct.pack(">2H", 0x3D06, 16) + coded if coding else b""
    descriptor = bytes.fromhex("060e2b34025301010d01010101014800") + bytes([len(items)]) + items
    return key + b"\x83" + len(pack).to_bytes(3) + pack + descriptor


def _tracks() -> dict[str, Other]:
    """Return MP4 files of other codecs."""
    encrypted = mp4.box("sinf", mp4.box("frma", b"ec-3"))
    locked = mp4.Track(frames=plain_frames(2), codec="enca", config=encrypted)
    names = {"mp4a": "AAC", "ac-3": "AC-3", "alac": "ALAC", "fLaC": "FLAC", "Opus": "Opus"}
    plain = {
        f"{name} in MP4": (_track(codec), "no_atmos", f"{name} in MP4")
        for codec, name in (names | {"dtsc": "DTS", "dtsh": "DTS-HD"}).items()
    }
    immersive = {
        f"{codec} in MP4": (_track(codec), "format_not_accepted", f"{name} in MP4")
        for codec, name in {
            "mhm1": "MPEG-H",
            "mha1": "MPEG-H",
            "iamf": "IAMF",
            "dtsx": "DTS:X",
        }.items()
    }
    return plain | immersive | {"encrypted": (mp4.plain(locked), "source_encrypted", "encrypted")}


def _track(codec: str) -> bytes:
    return mp4.plain(mp4.Track(frames=(b"\x21\x00\x49\x90" * 8,) * 4, codec=codec))


def _transport() -> dict[str, Other]:
    """Return transport streams without Atmos."""
    kinds = {
        "AC-3": (0x81, b""),
        "DTS": (0x82, b""),
        "AAC": (0x0F, b""),
        "MPEG audio": (0x03, b""),
        "Opus": (0x06, b"\x05\x04Opus"),
    }
    plain = {
        f"{name} in TS": (_in_ts(kind), "no_atmos", f"{name} in MPEG-TS")
        for name, kind in kinds.items()
    }
    mpeg_h = (_in_ts((0x2D, b"")), "format_not_accepted", "MPEG-H in MPEG-TS")
    silent = (_in_ts((0x1B, b"")), "not_recognised", "no sound in MPEG-TS")
    damaged = b"".join(b"G\x1f\xff\x10".ljust(188, b"\xff") for _ in range(8))
    return plain | {
        "MPEG-H in TS": mpeg_h,
        "picture in TS": silent,
        "TS without tables": (damaged, "ts_malformed", "missing"),
    }


def _in_ts(kind: tuple[int, bytes]) -> bytes:
    return mpeg_ts.transport_stream(mpeg_ts.Stream(frames=(bytes(300),) * 3, kind=kind))


def _masters() -> dict[str, Other]:
    """Return immersive sound that is not taken."""
    set_name = "Dolby Atmos Master File set"
    adm = mxf("0d01030102060100") + b"<audioFormatExtended/>"
    kinds = {
        "iab in mxf": (mxf("0d010301021d0101"), "IAB in MXF"),
        "iab by coding": (mxf("0d01030102060100", "0e09060400000000"), "IAB in MXF"),
        "adm in mxf": (adm, "PCM with ADM in MXF"),
        "damf": (DAMF, f"{set_name} (.atmos)"),
        "damf metadata": (DAMF_METADATA, f"{set_name} (.atmos.metadata)"),
        "damf audio": (_caf(16), "one ADM BWF file"),
        "mpeg-h": (b"\xc0\x01\xa5".ljust(100, b"\0"), "MPEG-H in raw"),
        "iamf": (b"\xf8\x06iamf\0\0".ljust(100, b"\0"), "IAMF in raw"),
        "dts:x": (b"\x40\x41\x1b\xf2".ljust(100, b"\0"), "DTS:X in raw"),
    }
    return {name: (data, "format_not_accepted", word) for name, (data, word) in kinds.items()}
