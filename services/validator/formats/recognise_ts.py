"""What a transport stream carries, from its programme tables (ISO/IEC 13818-1, ETSI EN 300 468)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.kinds import Kind

if TYPE_CHECKING:
    from services.validator.formats.mpeg_ts import Elementary

_EAC3, _AC4, _TRUEHD = (Kind.EAC3, "E-AC-3"), (Kind.AC4, "AC-4"), (Kind.TRUEHD, "TrueHD")
_AC3, _DTS = (Kind.OTHER_AUDIO, "AC-3"), (Kind.OTHER_AUDIO, "DTS")
_DTS_HD, _DTS_X = (Kind.OTHER_AUDIO, "DTS-HD"), (Kind.OTHER_IMMERSIVE, "DTS:X")
_AAC, _MPEG = (Kind.OTHER_AUDIO, "AAC"), (Kind.OTHER_AUDIO, "MPEG audio")
_MPEG_H = (Kind.OTHER_IMMERSIVE, "MPEG-H")
_PRIVATE = 0x06
_REGISTRATION, _EXTENSION = 0x05, 0x7F

_STREAM_TYPES = {
    0x03: _MPEG,
    0x04: _MPEG,
    0x0F: _AAC,
    0x11: _AAC,
    0x2D: _MPEG_H,
    0x2E: _MPEG_H,
    0x80: (Kind.OTHER_AUDIO, "PCM"),
    0x81: _AC3,
    0x82: _DTS,
    0x83: _TRUEHD,
    0x84: _EAC3,
    0x85: _DTS_HD,
    0x86: _DTS_HD,
    0x87: _EAC3,
    0xA1: _EAC3,
}
_DESCRIPTORS = {0x6A: _AC3, 0x7A: _EAC3, 0x7B: _DTS, 0x7C: _AAC, 0xCC: _EAC3}
_EXTENSIONS = {0x0E: _DTS_HD, 0x15: _AC4, 0x21: _DTS_X}
_REGISTRATIONS = {
    b"AC-3": _AC3,
    b"EAC3": _EAC3,
    b"AC-4": _AC4,
    b"Opus": (Kind.OTHER_AUDIO, "Opus"),
    b"DTS1": _DTS,
    b"DTS2": _DTS,
    b"DTS3": _DTS,
}
_PREFERRED = (Kind.EAC3, Kind.AC4, Kind.TRUEHD, Kind.OTHER_IMMERSIVE, Kind.OTHER_AUDIO)


def codec_of(stream: Elementary) -> tuple[Kind, str] | None:
    """Return what codes an elementary stream, None when it is no sound."""
    if stream.kind != _PRIVATE and stream.kind in _STREAM_TYPES:
        return _STREAM_TYPES[stream.kind]
    for tag, data in stream.descriptors:
        known = _DESCRIPTORS.get(tag)
        if tag == _EXTENSION and data:
            known = _EXTENSIONS.get(data[0])
        if tag == _REGISTRATION:
            known = _REGISTRATIONS.get(data[:4])
        if known:
            return known
    return None


def choose(streams: list[Elementary]) -> tuple[Elementary, Kind, str] | None:
    """Return the stream that can carry Atmos, else the first that is sound; None without any."""
    heard = [(each, *codec) for each in streams if (codec := codec_of(each))]
    return min(heard, key=lambda found: _PREFERRED.index(found[1]), default=None)
