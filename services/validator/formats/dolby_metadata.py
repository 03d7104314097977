"""Dolby's two dbmd segments about Atmos, read in full (EBU Tech 3285 s6 and Dolby's extension)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.validator.formats.dbmd import Dbmd, Segment

ATMOS = 9
ATMOS_SIZE = 248
SUPPLEMENTAL = 10
SUPPLEMENTAL_SYNC = 0xF8726FBD
# The renderings that have trims, in their order.
TRIM_LAYOUTS = ("2.0", "5.1", "7.1", "2.1.2", "5.1.2", "7.1.2", "2.1.4", "5.1.4", "7.1.4")
NO_HOUR = 0xFF
_TOOL = slice(32, 96)
_TOOL_VERSION = slice(96, 99)
_FRAME_RATE = 111
_FFOA = struct.Struct("<BBI")
_FFOA_OFFSET = 112
_SECOND = 100_000
_DOWNMIX = 139
_RENDERING = 152
_HEAD = struct.Struct("<IHx")
_TRIM = struct.Struct("<Bfffbb")
_FIXED = _HEAD.size + len(TRIM_LAYOUTS) * _TRIM.size
_AUTOMATIC = 1
_HOURS, _SIXTY = 24, 60

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """The first frame of action; ``seconds`` may have a fraction."""

    hours: int
    minutes: int
    seconds: float

    @property
    def is_time(self) -> bool:
        """Whether it is a time of day."""
        return self.hours < _HOURS and self.minutes < _SIXTY and self.seconds < _SIXTY

    @property
    def is_set(self) -> bool:
        """Whether it says anything: tools write zero, or no hour, when it does not."""
        return self.is_time and (self.hours, self.minutes, self.seconds) != (0, 0, 0)


@dataclass(frozen=True, slots=True)
class AtmosSegment:
    """Segment 9: the tool that wrote it, and its codes for time and rendering, as they are."""

    tool: str
    tool_version: str
    frame_rate: int
    first_frame: FirstFrame
    downmix: int
    bed_distribution: int
    warp_mode: int


@dataclass(frozen=True, slots=True)
class Trim:
    """How one rendering trims: automatically, or by decibels for centre, surround and height."""

    automatic: bool
    decibels: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SupplementalSegment:
    """Segment 10: one trim for each of TRIM_LAYOUTS, then a code per track, beds included."""

    trims: tuple[Trim, ...]
    trim_bypasses: tuple[int, ...]
    head_track_modes: tuple[int, ...]
    binaural_modes: tuple[int, ...]

    @property
    def tracks(self) -> int:
        """How many tracks it describes."""
        return len(self.binaural_modes)


@dataclass(frozen=True, slots=True)
class DolbyMetadata:
    """What dbmd says about Atmos: each None when missing, a FormatError when it cannot be read."""

    atmos: AtmosSegment | FormatError | None
    supplemental: SupplementalSegment | FormatError | None


def read_dolby_metadata(dbmd: Dbmd) -> DolbyMetadata:
    """Read the two segments of a walked chunk."""
    return DolbyMetadata(
        _parsed(_atmos, dbmd.segment(ATMOS)), _parsed(_supplemental, dbmd.segment(SUPPLEMENTAL))
    )


def _parsed(parse: Callable[[Segment], T], segment: Segment | None) -> T | FormatError | None:
    if segment is None:
        return None
    try:
        return parse(segment)
    except FormatError as error:
        return error


def _atmos(segment: Segment) -> AtmosSegment:
    payload = segment.payload
    if len(payload) != ATMOS_SIZE:
        raise FormatError(f"The Dolby Atmos segment has {len(payload)} bytes", segment.offset)
    hours, minutes, hundred_thousandths = _FFOA.unpack_from(payload, _FFOA_OFFSET)
    return AtmosSegment(
        tool=payload[_TOOL].split(b"\0")[0].decode("ascii", "replace"),
        tool_version=".".join(str(number) for number in payload[_TOOL_VERSION]),
        frame_rate=payload[_FRAME_RATE] & 0x0F,
        first_frame=FirstFrame(hours, minutes, hundred_thousandths / _SECOND),
        downmix=payload[_DOWNMIX] >> 4 & 7,
        bed_distribution=payload[_RENDERING] >> 6,
        warp_mode=payload[_RENDERING] & 7,
    )


def _supplemental(segment: Segment) -> SupplementalSegment:
    payload = segment.payload
    if len(payload) < _HEAD.size:
        raise FormatError("The supplemental segment is cut off", segment.offset)
    sync, count = _HEAD.unpack_from(payload)
    if sync != SUPPLEMENTAL_SYNC:
        raise FormatError(f"The supplemental segment starts with {sync:#010x}", segment.offset)
    if len(payload) != _FIXED + 2 * count:
        raise FormatError(
            f"The supplemental segment has {len(payload)} bytes, "
            f"{count} tracks need {_FIXED + 2 * count}",
            segment.offset,
        )
    modes = payload[_FIXED + count :]
    return SupplementalSegment(
        trims=tuple(_trim(*fields) for fields in _TRIM.iter_unpack(payload[_HEAD.size : _FIXED])),
        trim_bypasses=tuple(byte & 3 for byte in payload[_FIXED : _FIXED + count]),
        head_track_modes=tuple(byte >> 6 for byte in modes),
        binaural_modes=tuple(byte & 7 for byte in modes),
    )


def _trim(flags: int, centre: float, surround: float, height: float, *_: int) -> Trim:
    return Trim(bool(flags & _AUTOMATIC), (centre, surround, height))
