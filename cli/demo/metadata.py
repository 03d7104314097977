"""The metadata of a generated Dolby Atmos master: axml, chna and dbmd."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.layout import Channel, Position

_BLOCKS_PER_SECOND = 4
_SEGMENT_HEAD = struct.Struct("<BH")
_CHNA_ENTRY = struct.Struct("<H12s14s11sx")


def axml(tracks: list[Channel], *, frames: int, rate: int) -> str:
    """Return the audio definition model: ``frames`` sample frames at ``rate`` hertz."""
    body = "\n".join(_elements(tracks, frames, rate))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ebuCoreMain xmlns="urn:ebu:metadata-schema:ebuCore_2016" xml:lang="en">\n'
        "<coreMetadata>\n<format>\n<audioFormatExtended>\n"
        f"{body}\n"
        "</audioFormatExtended>\n</format>\n</coreMetadata>\n</ebuCoreMain>\n"
    )


def _elements(tracks: list[Channel], frames: int, rate: int) -> Iterator[str]:
    packs: dict[str, list[Channel]] = {}
    for track in tracks:
        packs.setdefault(track.pack, []).append(track)
    length = _time(frames, rate)
    objects = {members[0].object: members for members in packs.values()}
    yield (
        '<audioProgramme audioProgrammeID="APR_1001" audioProgrammeName="Atmos_Master"'
        f' start="{_time(0, rate)}" end="{length}">'
        "<audioContentIDRef>ACO_1001</audioContentIDRef></audioProgramme>"
    )
    yield (
        '<audioContent audioContentID="ACO_1001" audioContentName="Atmos_Master_Content">'
        + "".join(_tag("audioObjectIDRef", each) for each in objects)
        + '<dialogue mixedContentKind="0">2</dialogue></audioContent>'
    )
    for identifier, members in objects.items():
        yield _object(identifier, members, length)
    for pack, members in packs.items():
        yield _pack(pack, members)
    for track in tracks:
        yield _channel(track, frames, rate)
        yield _stream(track)
        yield _track_format(track)
        yield _track_uid(track, rate)


def _tag(name: str, text: str) -> str:
    return f"<{name}>{text}</{name}>"


def _time(frames: int, rate: int) -> str:
    """Return hh:mm:ss.fffff."""
    hundred_thousandths = round(frames * 100_000 / rate)
    seconds, fraction = divmod(hundred_thousandths, 100_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:05}"


def _object(identifier: str, members: list[Channel], length: str) -> str:
    return (
        f'<audioObject audioObjectID="{identifier}" audioObjectName="{members[0].group}"'
        f' start="00:00:00.00000" duration="{length}">'
        + _tag("audioPackFormatIDRef", members[0].pack)
        + "".join(_tag("audioTrackUIDRef", track.uid) for track in members)
        + "</audioObject>"
    )


def _pack(identifier: str, members: list[Channel]) -> str:
    return (
        f'<audioPackFormat audioPackFormatID="{identifier}"'
        f' audioPackFormatName="{members[0].group}" {members[0].type_attributes}>'
        + "".join(_tag("audioChannelFormatIDRef", f"AC_{track.number}") for track in members)
        + "</audioPackFormat>"
    )


def _channel(track: Channel, frames: int, rate: int) -> str:
    blocks = _bed_block(track) if track.label else "".join(_object_blocks(track, frames, rate))
    return (
        f'<audioChannelFormat audioChannelFormatID="AC_{track.number}"'
        f' audioChannelFormatName="{track.name}" {track.type_attributes}>'
        f"{blocks}</audioChannelFormat>"
    )


def _positions(position: Position) -> str:
    return "".join(
        f'<position coordinate="{axis}">{value:.10f}</position>'
        for axis, value in zip("XYZ", position, strict=True)
    )


def _bed_block(track: Channel) -> str:
    return (
        f'<audioBlockFormat audioBlockFormatID="AB_{track.number}_00000001">'
        f"<cartesian>1</cartesian>{_tag('speakerLabel', track.label)}"
        f"{_positions(track.position)}</audioBlockFormat>"
    )


def _object_blocks(track: Channel, frames: int, rate: int) -> Iterator[str]:
    """Yield the blocks of an object that circles the listener once in four seconds."""
    step = rate // _BLOCKS_PER_SECOND
    for index, start in enumerate(range(0, frames, step)):
        angle = 2 * math.pi * (start / rate / 4 + track.track / 8)
        position = (math.sin(angle), math.cos(angle), 0.5 + 0.5 * math.sin(angle / 2))
        yield (
            f'<audioBlockFormat audioBlockFormatID="AB_{track.number}_{index + 1:08x}"'
            f' rtime="{_time(start, rate)}" duration="{_time(min(step, frames - start), rate)}">'
            f"<cartesian>1</cartesian>{_positions(position)}"
            f'<jumpPosition interpolationLength="{0.005208 if index else 0:.6f}">1</jumpPosition>'
            "</audioBlockFormat>"
        )


def _stream(track: Channel) -> str:
    return (
        f'<audioStreamFormat audioStreamFormatID="AS_{track.number}"'
        f' audioStreamFormatName="PCM_{track.name}" formatDefinition="PCM" formatLabel="0001">'
        + _tag("audioChannelFormatIDRef", f"AC_{track.number}")
        + _tag("audioPackFormatIDRef", track.pack)
        + _tag("audioTrackFormatIDRef", f"AT_{track.number}_01")
        + "</audioStreamFormat>"
    )


def _track_format(track: Channel) -> str:
    return (
        f'<audioTrackFormat audioTrackFormatID="AT_{track.number}_01"'
        f' audioTrackFormatName="PCM_{track.name}" formatDefinition="PCM" formatLabel="0001">'
        + _tag("audioStreamFormatIDRef", f"AS_{track.number}")
        + "</audioTrackFormat>"
    )


def _track_uid(track: Channel, rate: int) -> str:
    return (
        f'<audioTrackUID UID="{track.uid}" bitDepth="24" sampleRate="{rate}">'
        + _tag("audioTrackFormatIDRef", f"AT_{track.number}_01")
        + _tag("audioPackFormatIDRef", track.pack)
        + "</audioTrackUID>"
    )


def chna(tracks: list[Channel]) -> bytes:
    """Return the table of tracks (ITU-R BS.2088)."""
    entries = [
        _CHNA_ENTRY.pack(
            track.track, track.uid.encode(), f"AT_{track.number}_01".encode(), track.pack.encode()
        )
        for track in tracks
    ]
    return struct.pack("<HH", len(tracks), len(entries)) + b"".join(entries)


def segment(kind: int, payload: bytes) -> bytes:
    """Return one dbmd segment with its checksum (EBU Tech 3285 s6)."""
    checksum = -((len(payload) & 0xFF) + sum(payload)) & 0xFF
    return _SEGMENT_HEAD.pack(kind, len(payload)) + payload + bytes([checksum])


def dbmd(tracks: list[Channel]) -> bytes:
    """Return Dolby's metadata: version 1.0.0.6, then segments 7, 9 and 10."""
    segments = segment(7, _digital_plus()) + segment(9, _atmos()) + segment(10, _tracks(tracks))
    return b"\x06\x00\x00\x01" + segments + bytes(2)


def _digital_plus() -> bytes:
    # Three front, two surround channels and LFE.
    return b"\x00\x47".ljust(96, b"\0")


def _atmos() -> bytes:
    payload = bytearray(248)
    payload[0:29] = b"Created using Dolby equipment"
    payload[32:52] = b"Stagedoor demo maker"
    payload[96:99] = b"\x01\x00\x00"
    payload[111] = 2  # 24 frames a second
    return bytes(payload)


def _tracks(tracks: list[Channel]) -> bytes:
    manual_trim = bytes(15)
    head = struct.pack("<IHB", 0xF8726FBD, len(tracks), 0) + 9 * manual_trim
    # Near, far and mid in turn.
    return head + bytes(len(tracks)) + bytes(1 + index % 3 for index in range(len(tracks)))
