"""dbmd: there, whole, and describing this file's tracks."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.formats.dbmd import Dbmd
from services.validator.formats.dolby_metadata import (
    ATMOS,
    ATMOS_SIZE,
    NO_HOUR,
    SUPPLEMENTAL,
    TRIM_LAYOUTS,
    AtmosSegment,
    DolbyMetadata,
    SupplementalSegment,
    read_dolby_metadata,
)
from services.validator.rules.registry import Finding, rule
from shared.adm.source import FormatError
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_SPEC = "EBU Tech 3285 s6; Dolby Atmos Master ADM Profile v1.0"
_AGAIN = "Export the master again: its dbmd chunk is damaged."
_LAST_VERSION = (1, 0, 0, 7)
_FRAME_RATES = range(1, 7)
_MODES = range(5)
_BYPASSES = range(3)

Value = tuple[str, object, bool, str]


@rule(
    AdmMaster,
    "dbmd_missing",
    spec=_SPEC,
    fix="Export the master from a Dolby Atmos Renderer: only it writes Dolby's metadata.",
)
def dbmd_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A Dolby Atmos master carries Dolby's metadata."""
    if master.dbmd is None:
        yield Finding(detail="There is no dbmd chunk: this ADM file is not a Dolby Atmos master.")


@rule(AdmMaster, "dbmd_malformed", spec=_SPEC, fix=_AGAIN)
def dbmd_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The segments stay in the chunk and end with the end mark."""
    if isinstance(master.dbmd, FormatError):
        yield Finding(detail=f"{master.dbmd.detail}.", location=f"byte {master.dbmd.offset}")


@rule(
    AdmMaster,
    "dbmd_version_not_known",
    spec=_SPEC,
    fix="Export the master again with a released version of the Dolby Atmos Renderer.",
)
def dbmd_version_not_known(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Versions up to 1.0.0.7 are known; what a later one means is not."""
    if isinstance(master.dbmd, Dbmd) and master.dbmd.version > _LAST_VERSION:
        yield Finding(
            detail="The version of the dbmd chunk is not known.",
            location=master.offset_of("dbmd"),
            measured=_dotted(master.dbmd.version),
            allowed=f"at most {_dotted(_LAST_VERSION)}",
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


@rule(AdmMaster, "dbmd_checksum_wrong", spec=_SPEC, fix=_AGAIN)
def dbmd_checksum_wrong(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Each segment's checksum holds."""
    for segment in master.dbmd.segments if isinstance(master.dbmd, Dbmd) else ():
        if segment.checksum != segment.expected_checksum:
            yield Finding(
                detail=f"The checksum of dbmd segment {segment.kind} is wrong.",
                location=f"dbmd segment {segment.kind}, byte {segment.offset}",
                measured=f"{segment.checksum:#04x}",
                allowed=f"{segment.expected_checksum:#04x}",
            )


@rule(AdmMaster, "dbmd_segment_repeated", spec=_SPEC, fix="Keep one segment of each kind.")
def dbmd_segment_repeated(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Two Atmos segments of one kind leave open which one holds."""
    segments = master.dbmd.segments if isinstance(master.dbmd, Dbmd) else ()
    counts = Counter(segment.kind for segment in segments)
    for kind in (ATMOS, SUPPLEMENTAL):
        if counts[kind] > 1:
            yield Finding(
                detail=f"There are {counts[kind]} dbmd segments {kind}.",
                location=f"dbmd segment {kind}",
                measured=counts[kind],
                allowed=1,
            )


@rule(
    AdmMaster,
    "dbmd_atmos_missing",
    spec=_SPEC,
    fix="Export the master from a Dolby Atmos Renderer: only it writes this segment.",
)
def dbmd_atmos_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 9 is what marks a Dolby Atmos master."""
    if isinstance(master.dbmd, Dbmd) and master.dbmd.segment(ATMOS) is None:
        yield Finding(
            detail="The dbmd chunk has no Dolby Atmos segment.",
            location=master.offset_of("dbmd"),
            measured=", ".join(str(each.kind) for each in master.dbmd.segments),
            allowed=f"segment {ATMOS}",
        )


@rule(AdmMaster, "dbmd_atmos_size", spec=_SPEC, fix=_AGAIN)
def dbmd_atmos_size(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 9 has one length."""
    atmos = dolby_metadata_of(master).atmos
    if isinstance(atmos, FormatError):
        yield Finding(
            detail=f"{atmos.detail}.",
            location=f"dbmd segment {ATMOS}, byte {atmos.offset}",
            measured="another length",
            allowed=f"{ATMOS_SIZE} bytes",
        )


@rule(
    AdmMaster,
    "dbmd_supplemental_missing",
    severity=Severity.WARNING,
    spec=_SPEC,
    fix="Export the master with a current Dolby Atmos Renderer, which writes trims and binaural.",
)
def dbmd_supplemental_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Without segment 10 nobody knows the trims and the binaural render modes."""
    if isinstance(master.dbmd, Dbmd) and master.dbmd.segment(SUPPLEMENTAL) is None:
        yield Finding(
            detail="The dbmd chunk has no segment of trims and binaural render modes.",
            location=master.offset_of("dbmd"),
            measured=", ".join(str(each.kind) for each in master.dbmd.segments),
            allowed=f"segment {SUPPLEMENTAL}",
        )


@rule(AdmMaster, "dbmd_supplemental_malformed", spec=_SPEC, fix=_AGAIN)
def dbmd_supplemental_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 10 starts with its sync word and has the length that its count asks for."""
    supplemental = dolby_metadata_of(master).supplemental
    if isinstance(supplemental, FormatError):
        yield Finding(
            detail=f"{supplemental.detail}.",
            location=f"dbmd segment {SUPPLEMENTAL}, byte {supplemental.offset}",
        )


@rule(
    AdmMaster,
    "dbmd_object_count_differs",
    spec=_SPEC,
    fix="Export the master again: dbmd and the audio must be written together.",
)
def dbmd_object_count_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 10 describes as many tracks as the file has, bed channels included."""
    supplemental = dolby_metadata_of(master).supplemental
    if not isinstance(supplemental, SupplementalSegment):
        return
    if supplemental.tracks != master.fmt.channels:
        yield Finding(
            detail="dbmd and fmt count the tracks differently.",
            location=f"dbmd segment {SUPPLEMENTAL}",
            measured=supplemental.tracks,
            allowed=master.fmt.channels,
        )


@rule(AdmMaster, "dbmd_value_not_known", spec=_SPEC, fix=_AGAIN)
def dbmd_value_not_known(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Each code of segments 9 and 10 is one that has a meaning, each time a time of day."""
    metadata = dolby_metadata_of(master)
    for kind, values in (
        (ATMOS, _atmos_values(metadata.atmos)),
        (SUPPLEMENTAL, _supplemental_values(metadata.supplemental)),
    ):
        for name, value, known, allowed in values:
            if not known:
                yield Finding(
                    detail=f"The {name} has no meaning.",
                    location=f"dbmd segment {kind}",
                    measured=value,
                    allowed=allowed,
                )


def _atmos_values(atmos: AtmosSegment | FormatError | None) -> Iterator[Value]:
    """Yield name, value, whether it is known and what would be."""
    if isinstance(atmos, AtmosSegment):
        yield "frame rate", atmos.frame_rate, atmos.frame_rate in _FRAME_RATES, "1 to 6"
        yield "downmix", atmos.downmix, atmos.downmix in _MODES, "0 to 4"
        yield "warp mode", atmos.warp_mode, atmos.warp_mode in _MODES, "0 to 4"
        start = atmos.first_frame
        real = start.is_time or start.hours == NO_HOUR
        yield "first frame of action", start, real, "a time of day"


def _supplemental_values(supplemental: SupplementalSegment | FormatError | None) -> Iterator[Value]:
    """Yield name, value, whether it is known and what would be."""
    if isinstance(supplemental, SupplementalSegment):
        for layout, trim in zip(TRIM_LAYOUTS, supplemental.trims, strict=True):
            real = trim.automatic or all(map(math.isfinite, trim.decibels))
            yield f"trim of {layout}", trim.decibels, real, "decibels"
        for track, bypass in enumerate(supplemental.trim_bypasses, 1):
            yield f"trim bypass of track {track}", bypass, bypass in _BYPASSES, "0 to 2"
        for track, mode in enumerate(supplemental.binaural_modes, 1):
            yield f"binaural render mode of track {track}", mode, mode in _MODES, "0 to 4"


def dolby_metadata_of(master: AdmMaster) -> DolbyMetadata:
    """Return what dbmd says about Atmos: nothing when it cannot be read."""
    if not isinstance(master.dbmd, Dbmd):
        return DolbyMetadata(None, None)
    return read_dolby_metadata(master.dbmd)
