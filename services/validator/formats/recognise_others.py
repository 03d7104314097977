"""What a file is that is no wave file: containers, signatures, sync words, texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats import mp4, mpeg_ts, mxf
from services.validator.formats.kinds import MP4, MPEG_TS, Kind, Recognised
from services.validator.formats.recognise_text import recognise_text
from services.validator.formats.recognise_ts import choose
from services.validator.formats.signatures import (
    FROM_MASTER,
    MATROSKA_CODECS,
    MP4_CODECS,
    RAW,
    SIGNATURES,
    SINGLE_FILE,
)
from shared.adm.source import FormatError, Source

if TYPE_CHECKING:
    from services.validator.formats.mpeg_ts import Layout

_AC3_MAX_BSID = 10
_MP4_FIRST_BOXES = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx"}
_MATROSKA = b"\x1a\x45\xdf\xa3"
_MATROSKA_HEAD = 1 << 16
_MOST_CHANNELS_WITHOUT_OBJECTS = 8


def recognise_other(source: Source, head: bytes) -> Recognised:
    """Say what a file is by its first bytes, of which there is at least one."""
    return (
        _recognise_container(source, head)
        or _recognise_signature(head)
        or _recognise_stream(head)
        or recognise_text(head)
    )


def _recognise_container(source: Source, head: bytes) -> Recognised | None:
    if head[4:8] in _MP4_FIRST_BOXES:
        return _recognise_mp4(source)
    if head.startswith(mxf.PARTITION_KEY):
        return _recognise_mxf(source)
    if head.startswith(_MATROSKA):
        return _recognise_matroska(source.peek(0, _MATROSKA_HEAD))
    if head.startswith(b"caff"):
        return _recognise_caf(head)
    layout = mpeg_ts.find_layout(head)
    return _recognise_ts(source, layout) if layout else None


def _recognise_mp4(source: Source) -> Recognised:
    try:
        track = mp4.read_mp4(source).audio()
    except FormatError:
        return Recognised(Kind.UNKNOWN, MP4, "damaged structure")
    if track is None:
        return Recognised(Kind.UNKNOWN, MP4, "no sound track")
    if track.codec == "enca":
        name = MP4_CODECS.get(track.original, (Kind.UNKNOWN, track.original or "audio"))[1]
        return Recognised(Kind.ENCRYPTED, MP4, f"encrypted {name}")
    kind, name = MP4_CODECS.get(track.codec, (Kind.OTHER_AUDIO, repr(track.codec)))
    advice = FROM_MASTER if kind is Kind.OTHER_IMMERSIVE else ""
    return Recognised(kind, MP4, name, advice)


def _recognise_ts(source: Source, layout: Layout) -> Recognised:
    try:
        chosen = choose(mpeg_ts.read_programme(source, layout))
    except FormatError:
        return Recognised(Kind.UNKNOWN, MPEG_TS, "damaged structure")
    if chosen is None:
        return Recognised(Kind.UNKNOWN, MPEG_TS, "no sound")
    _, kind, name = chosen
    return Recognised(kind, MPEG_TS, name, FROM_MASTER if kind is Kind.OTHER_IMMERSIVE else "")


def _recognise_mxf(source: Source) -> Recognised:
    sound = mxf.read_sound(source)
    if sound in (mxf.IAB, mxf.ADM):
        return Recognised(Kind.OTHER_IMMERSIVE, "MXF", sound, FROM_MASTER)
    if sound:
        return Recognised(Kind.OTHER_AUDIO, "MXF", sound, FROM_MASTER)
    return Recognised(Kind.UNKNOWN, "MXF", "no known sound", FROM_MASTER)


def _recognise_matroska(head: bytes) -> Recognised:
    container = "WebM" if b"webm" in head[:64] else "Matroska"
    codec = next((name for mark, name in MATROSKA_CODECS if mark in head), "")
    return Recognised(Kind.OTHER_AUDIO, container, codec, FROM_MASTER)


def _recognise_caf(head: bytes) -> Recognised:
    """Tell a CAF of many tracks from ordinary ones: the sound of a Dolby Atmos Master File set."""
    at = head.find(b"desc") + 12
    form, channels = head[at + 8 : at + 12], int.from_bytes(head[at + 24 : at + 28])
    if at >= 12 and form == b"lpcm" and channels > _MOST_CHANNELS_WITHOUT_OBJECTS:  # noqa: PLR2004
        name = "Dolby Atmos Master File set (.atmos.audio)"
        return Recognised(Kind.OTHER_IMMERSIVE, name, advice=SINGLE_FILE)
    names = {b"lpcm": "PCM", b"alac": "ALAC", b"aac ": "AAC", b"ec-3": "E-AC-3"}
    return Recognised(Kind.OTHER_AUDIO, "CAF", names.get(form, ""))


def _recognise_signature(head: bytes) -> Recognised | None:
    found = (known for at, mark, known in SIGNATURES if head.startswith(mark, at))
    return next(found, None)


def _recognise_stream(head: bytes) -> Recognised | None:
    """Tell apart what is known by a short sync word only."""
    if head[:2] == b"\x0b\x77" and len(head) > 5:  # noqa: PLR2004 - bsid is in the sixth byte
        plain = head[5] >> 3 <= _AC3_MAX_BSID
        kind, name = (Kind.OTHER_AUDIO, "AC-3") if plain else (Kind.EAC3, "E-AC-3")
        return Recognised(kind, RAW, name)
    if head[0] == 0xF8 and head[2:6] == b"iamf":  # noqa: PLR2004 - OBU of type 31, sequence header
        return Recognised(Kind.OTHER_IMMERSIVE, RAW, "IAMF", FROM_MASTER)
    sync = int.from_bytes(head[:2])
    if sync & 0xFFF6 == 0xFFF0:  # noqa: PLR2004 - ADTS: twelve ones and layer 0
        return Recognised(Kind.OTHER_AUDIO, "ADTS", "AAC")
    if sync & 0xFFE0 == 0xFFE0 and sync & 0x0006:  # noqa: PLR2004 - eleven ones and a layer
        return Recognised(Kind.OTHER_AUDIO, "MP3 file")
    return None
