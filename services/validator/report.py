"""The report: everything that was found in one file, as it is kept, served and shown.

The names are those of stagedoor.v1.ValidationReport; severities are in small letters.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import msgspec

from services.validator.audio.measurement import Moment, Track
from services.validator.rules.opinions import Opinion
from shared.problems import Format, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.validator.audio.measurement import AudioMeasurement

MAX_JSON_BYTES = 4 << 20
MAX_PACKED_BYTES = 256 << 10
MAX_PROBLEMS = 500
_FEW_PROBLEMS = 50
_GRAVEST_FIRST = {severity: rank for rank, severity in enumerate(Severity)}


class BedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel of a bed: its track from 1 (0 is none), audioChannelFormatID and label."""

    track: int
    id: str
    name: str
    speaker: str


class Bed(msgspec.Struct, frozen=True, kw_only=True):
    """One bed: an audioObject of channels that stand still."""

    id: str
    name: str
    channels: tuple[BedChannel, ...] = ()


class Point(msgspec.Struct, frozen=True):
    """Where an object is: seconds from the start; right, front and up are 1, the opposites -1."""

    seconds: float
    x: float
    y: float
    z: float


class DynamicObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object: its track from 1 (0 is none), its count of blocks, and its path thinned out."""

    track: int
    id: str
    name: str
    blocks: int
    path: tuple[Point, ...] = ()


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """The programme of an ADM master."""

    id: str
    name: str
    beds: tuple[Bed, ...] = ()
    objects: tuple[DynamicObject, ...] = ()


class Pair(msgspec.Struct, frozen=True):
    """Two tracks with the same samples, numbered from 1."""

    first: int
    second: int


class Audio(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, as AudioMeasurement has it; the margins are what it may be off by."""

    method: str
    frames: int
    sample_rate: int
    integrated_lufs: float | None
    loudness_range_lu: float | None
    true_peak_dbtp: float | None
    loudness_margin_lu: float
    true_peak_margin_db: float
    tracks: tuple[Track, ...]
    identical: tuple[Pair, ...]
    moments: tuple[Moment, ...]

    @classmethod
    def of(cls, measured: AudioMeasurement) -> Audio:
        """Take a measurement over; more than a hundredth of a decibel says nothing."""
        return cls(
            method=measured.method,
            frames=measured.frames,
            sample_rate=measured.sample_rate,
            integrated_lufs=_rounded(measured.integrated_lufs),
            loudness_range_lu=_rounded(measured.loudness_range_lu),
            true_peak_dbtp=_rounded(measured.true_peak_dbtp),
            loudness_margin_lu=measured.loudness_margin_lu,
            true_peak_margin_db=measured.true_peak_margin_db,
            tracks=tuple(_track(each) for each in measured.tracks),
            identical=tuple(Pair(*numbers) for numbers in measured.identical),
            moments=tuple(_moment(each) for each in measured.moments),
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an inspection: ``recognised`` names the file, ``profile`` the yardstick.

    ``programme`` is of ADM masters, ``audio`` of what was measured; ``validator`` is our version.
    """

    accepted: bool
    recognised: str
    profile: str
    master_type: str
    format: Format
    problems: tuple[Problem, ...]
    md5: str
    size_bytes: int
    opinions: tuple[Opinion, ...] = ()
    programme: Programme | None = None
    audio: Audio | None = None
    validator: str = ""

    def to_json(self) -> bytes:
        """Return the report as one line of JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Report:
        """Read a report back; raises msgspec.MsgspecError when it is none or too long."""
        if len(data) > MAX_JSON_BYTES:
            raise msgspec.DecodeError(f"more than {MAX_JSON_BYTES} bytes")
        try:
            return msgspec.json.decode(data, type=cls)
        except UnicodeDecodeError as error:
            raise msgspec.DecodeError(str(error)) from error

    def to_gzip(self) -> bytes:
        """Return the JSON packed, at most MAX_PACKED_BYTES: the paths go first, then the rest."""
        packed = _packed(self)
        if len(packed) > MAX_PACKED_BYTES:
            packed = _packed(self.without_paths())
        if len(packed) > MAX_PACKED_BYTES:
            packed = _packed(self.verdict_alone())
        return packed

    def without_paths(self) -> Report:
        """Return the same without where the objects are."""
        if self.programme is None:
            return self
        still = tuple(msgspec.structs.replace(each, path=()) for each in self.programme.objects)
        programme = msgspec.structs.replace(self.programme, objects=still)
        return msgspec.structs.replace(self, programme=programme)

    def verdict_alone(self) -> Report:
        """Return what fits always: the verdict and the gravest problems."""
        problems = gravest_first(self.problems)[:_FEW_PROBLEMS]
        return msgspec.structs.replace(
            self, problems=problems, opinions=(), programme=None, audio=None
        )


def gravest_first(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems by severity, else in their order."""
    return tuple(sorted(problems, key=lambda each: _GRAVEST_FIRST[each.severity]))


def _packed(report: Report) -> bytes:
    # The same report is the same bytes: no time of day in it.
    return gzip.compress(report.to_json(), mtime=0)


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


def _track(track: Track) -> Track:
    return msgspec.structs.replace(
        track,
        peak_dbfs=_rounded(track.peak_dbfs),
        lfe_share_above_200hz=_rounded(track.lfe_share_above_200hz, 4),
    )


def _moment(moment: Moment) -> Moment:
    return Moment(moment.seconds, _rounded(moment.momentary_lufs), _rounded(moment.short_term_lufs))
