"""dbmd: there, whole, and describing this file's tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.formats.dbmd import (
    ATMOS,
    ATMOS_SIZE,
    SUPPLEMENTAL,
    Dbmd,
    Supplemental,
    parse_supplemental,
)
from services.validator.formats.source import FormatError
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_SPEC = "EBU Tech 3285 s6; Dolby Atmos Master ADM Profile v1.0"


@rule(AdmMaster, "dbmd_missing", spec=_SPEC)
def dbmd_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A Dolby Atmos master carries Dolby's metadata."""
    if master.dbmd is None:
        yield Finding(detail="There is no dbmd chunk: this ADM file is not a Dolby Atmos master.")


@rule(AdmMaster, "dbmd_malformed", spec=_SPEC)
def dbmd_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The segments stay in the chunk and end with the end mark."""
    if isinstance(master.dbmd, FormatError):
        yield Finding(detail=f"{master.dbmd.detail}.", location=f"byte {master.dbmd.offset}")


@rule(AdmMaster, "dbmd_checksum_wrong", spec=_SPEC)
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


@rule(AdmMaster, "dbmd_atmos_missing", spec=_SPEC)
def dbmd_atmos_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 9 is what marks a Dolby Atmos master."""
    if isinstance(master.dbmd, Dbmd) and master.dbmd.segment(ATMOS) is None:
        yield Finding(
            detail="The dbmd chunk has no Dolby Atmos segment.",
            location=master.offset_of("dbmd"),
            measured=", ".join(str(each.kind) for each in master.dbmd.segments),
            allowed=f"segment {ATMOS}",
        )


@rule(AdmMaster, "dbmd_atmos_size", spec=_SPEC)
def dbmd_atmos_size(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 9 has one length."""
    atmos = master.dbmd.segment(ATMOS) if isinstance(master.dbmd, Dbmd) else None
    if atmos and len(atmos.payload) != ATMOS_SIZE:
        yield Finding(
            detail="The Dolby Atmos segment has the wrong length.",
            location=f"dbmd segment {ATMOS}, byte {atmos.offset}",
            measured=f"{len(atmos.payload)} bytes",
            allowed=f"{ATMOS_SIZE} bytes",
        )


@rule(AdmMaster, "dbmd_supplemental_malformed", spec=_SPEC)
def dbmd_supplemental_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 10 starts with its sync word and has the length that its count asks for."""
    supplemental = _supplemental(master)
    if isinstance(supplemental, FormatError):
        yield Finding(
            detail=f"{supplemental.detail}.",
            location=f"dbmd segment {SUPPLEMENTAL}, byte {supplemental.offset}",
        )


@rule(AdmMaster, "dbmd_object_count_differs", spec=_SPEC)
def dbmd_object_count_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Segment 10 describes as many tracks as the file has, bed channels included."""
    supplemental = _supplemental(master)
    if not isinstance(supplemental, Supplemental):
        return
    if supplemental.object_count != master.fmt.channels:
        yield Finding(
            detail="dbmd and fmt count the tracks differently.",
            location=f"dbmd segment {SUPPLEMENTAL}",
            measured=supplemental.object_count,
            allowed=master.fmt.channels,
        )


def _supplemental(master: AdmMaster) -> Supplemental | FormatError | None:
    segment = master.dbmd.segment(SUPPLEMENTAL) if isinstance(master.dbmd, Dbmd) else None
    if segment is None:
        return None
    try:
        return parse_supplemental(segment)
    except FormatError as error:
        return error
