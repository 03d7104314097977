"""What a file is, from its own first bytes: never from its name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from services.validator.formats import mp4, riff
from services.validator.formats.source import FormatError, Source, open_source

if TYPE_CHECKING:
    from pathlib import Path

MP4 = "MP4"
_HEAD_BYTES = 4096
_TS_PACKET = 188
_AC3_MAX_BSID = 10


class Kind(StrEnum):
    """The families that are told apart; only the first three can be judged as Atmos."""

    WAVE = "wave"
    EAC3 = "eac3"
    AC4 = "ac4"
    OTHER_AUDIO = "other_audio"
    OTHER_IMMERSIVE = "other_immersive"
    ENCRYPTED = "encrypted"
    HTML = "html"
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is: its family, and container and codec in words for people."""

    kind: Kind
    container: str = ""
    codec: str = ""

    @property
    def description(self) -> str:
        """Name the file in a few words."""
        if self.codec and self.container:
            return f"{self.codec} in {self.container}"
        return self.codec or self.container or self.kind.value


_MP4_CODECS = {
    "ec-3": (Kind.EAC3, "E-AC-3"),
    "ac-4": (Kind.AC4, "AC-4"),
    "ac-3": (Kind.OTHER_AUDIO, "AC-3"),
    "mp4a": (Kind.OTHER_AUDIO, "AAC"),
    "alac": (Kind.OTHER_AUDIO, "ALAC"),
    "fLaC": (Kind.OTHER_AUDIO, "FLAC"),
    "Opus": (Kind.OTHER_AUDIO, "Opus"),
    "mlpa": (Kind.OTHER_IMMERSIVE, "TrueHD"),
    "mha1": (Kind.OTHER_IMMERSIVE, "MPEG-H"),
    "mhm1": (Kind.OTHER_IMMERSIVE, "MPEG-H"),
    "iamf": (Kind.OTHER_IMMERSIVE, "IAMF"),
    "dtsc": (Kind.OTHER_AUDIO, "DTS"),
    "dtsx": (Kind.OTHER_IMMERSIVE, "DTS:X"),
}
_SIGNATURES = (
    (0, b"\xac\x40", Recognised(Kind.AC4, "raw stream", "AC-4")),
    (0, b"\xac\x41", Recognised(Kind.AC4, "raw stream", "AC-4")),
    (4, b"\xf8\x72\x6f\xba", Recognised(Kind.OTHER_IMMERSIVE, "raw stream", "TrueHD")),
    (4, b"\xf8\x72\x6f\xbb", Recognised(Kind.OTHER_AUDIO, "raw stream", "MLP")),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", Recognised(Kind.OTHER_IMMERSIVE, "MXF")),
    (0, b"fLaC", Recognised(Kind.OTHER_AUDIO, "FLAC file")),
    (0, b"OggS", Recognised(Kind.OTHER_AUDIO, "Ogg")),
    (0, b"caff", Recognised(Kind.OTHER_AUDIO, "CAF")),
    (0, b"FORM", Recognised(Kind.OTHER_AUDIO, "AIFF", "PCM")),
    (0, b"ID3", Recognised(Kind.OTHER_AUDIO, "MP3 file")),
    (0, b"\x7f\xfe\x80\x01", Recognised(Kind.OTHER_AUDIO, "raw stream", "DTS")),
    (0, b"PK\x03\x04", Recognised(Kind.UNKNOWN, "ZIP archive")),
    (0, b"\x1f\x8b", Recognised(Kind.UNKNOWN, "gzip file")),
    (0, b"%PDF", Recognised(Kind.UNKNOWN, "PDF document")),
)
_MP4_FIRST_BOXES = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx"}


def recognise(path: Path) -> Recognised:
    """Say what a file is; raises OSError when it cannot be read."""
    with open_source(path) as source:
        return recognise_source(source)


def recognise_source(source: Source) -> Recognised:
    """Say what a file is."""
    if source.size == 0:
        return Recognised(Kind.EMPTY, "empty file")
    head = source.peek(0, _HEAD_BYTES)
    if head[:4] in riff.FORMS and head[8:12] == b"WAVE":
        return Recognised(Kind.WAVE, head[:4].decode(), "PCM")
    if head[4:8] in _MP4_FIRST_BOXES:
        return _recognise_mp4(source)
    for offset, signature, recognised in _SIGNATURES:
        if head[offset:].startswith(signature):
            return recognised
    return _recognise_stream(head) or _recognise_text(head)


def _recognise_mp4(source: Source) -> Recognised:
    try:
        track = mp4.read_mp4(source).audio()
    except FormatError:
        return Recognised(Kind.UNKNOWN, MP4, "damaged structure")
    if track is None:
        return Recognised(Kind.UNKNOWN, MP4, "no sound track")
    if track.codec == "enca":
        name = _MP4_CODECS.get(track.original, (Kind.UNKNOWN, track.original or "audio"))[1]
        return Recognised(Kind.ENCRYPTED, MP4, f"encrypted {name}")
    kind, name = _MP4_CODECS.get(track.codec, (Kind.OTHER_AUDIO, repr(track.codec)))
    return Recognised(kind, MP4, name)


def _recognise_stream(head: bytes) -> Recognised | None:
    """Tell apart what is known by a short sync word only."""
    if head[:2] == b"\x0b\x77" and len(head) > 5:  # noqa: PLR2004 - bsid is in the sixth byte
        plain = head[5] >> 3 <= _AC3_MAX_BSID
        return Recognised(*_RAW_AC3) if plain else Recognised(Kind.EAC3, "raw stream", "E-AC-3")
    if (
        head[:1]
        == head[_TS_PACKET : _TS_PACKET + 1]
        == head[2 * _TS_PACKET : 2 * _TS_PACKET + 1]
        == b"G"
    ):
        return Recognised(Kind.OTHER_AUDIO, "MPEG-TS")
    sync = int.from_bytes(head[:2])
    if sync & 0xFFF6 == 0xFFF0:  # noqa: PLR2004 - ADTS: twelve ones and layer 0
        return Recognised(Kind.OTHER_AUDIO, "ADTS", "AAC")
    if sync & 0xFFE0 == 0xFFE0 and sync & 0x0006:  # noqa: PLR2004 - eleven ones and a layer
        return Recognised(Kind.OTHER_AUDIO, "MP3 file")
    return None


_RAW_AC3 = (Kind.OTHER_AUDIO, "raw stream", "AC-3")


def _recognise_text(head: bytes) -> Recognised:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<") and (b"<html" in text or text.startswith(b"<!doctype html")):
        return Recognised(Kind.HTML, "HTML page")
    if text.startswith(b"<?xml"):
        return Recognised(Kind.UNKNOWN, "XML document")
    if b"presentations:" in text and text.startswith(b"version:"):
        return Recognised(Kind.OTHER_IMMERSIVE, "Dolby Atmos Master File set (.atmos)")
    return Recognised(Kind.UNKNOWN, "file of no known kind")
