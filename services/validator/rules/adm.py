"""The chunk axml: there, readable, and one programme within the profile's counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_parts import OBJECTS, PROFILE, elements, type_of
from services.validator.rules.adm_profile import MOST_ELEMENTS, MOST_OBJECTS, PER_TRACK
from services.validator.rules.registry import Finding, rule
from shared.adm.model import Adm
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile


@rule(
    AdmMaster,
    "axml_missing",
    spec="ITU-R BS.2088 §7",
    fix="Export the master again as an ADM BWF from the Dolby Atmos Renderer or the workstation.",
)
def axml_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The axml chunk holds the programme, the beds and the objects."""
    if master.adm is None:
        yield Finding(detail="There is no axml chunk: no bed and no object is described.")


@rule(
    AdmMaster,
    "axml_malformed",
    spec="ITU-R BS.2088 §7; W3C XML 1.0",
    fix="Export the master again: its XML must be whole, well-formed UTF-8 without a DOCTYPE.",
)
def axml_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The XML is well-formed and declares no document type."""
    if isinstance(master.adm, FormatError):
        yield Finding(detail=f"{master.adm.detail}.", location=master.offset_of("axml"))


@rule(
    AdmMaster,
    "adm_root_count",
    spec="ITU-R BS.2076 §5",
    fix="Keep one audioFormatExtended element in the axml chunk.",
)
def adm_root_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The XML holds one audioFormatExtended."""
    if isinstance(master.adm, Adm) and master.adm.roots != 1:
        yield Finding(
            detail="The axml chunk must hold one audioFormatExtended element.",
            location=master.offset_of("axml"),
            measured=master.adm.roots,
            allowed=1,
        )


@rule(
    AdmMaster,
    "programme_count",
    spec=PROFILE,
    fix="Deliver one file per programme: keep one audioProgramme.",
)
def programme_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A master is one programme."""
    programmes = elements(master, "audioProgramme")
    # Without a root there is nothing to count.
    if isinstance(master.adm, Adm) and master.adm.roots and len(programmes) != 1:
        yield Finding(
            detail="A master must have one audioProgramme.",
            location="audioProgramme",
            measured=len(programmes),
            allowed=1,
        )


@rule(
    AdmMaster,
    "too_many_elements",
    spec=PROFILE,
    fix="Export the master again within the profile: at most 123 contents and objects, 128 tracks.",
)
def too_many_elements(master: AdmMaster, profile: Profile) -> Iterator[Finding]:
    """The profile bounds how many elements of each kind there may be.

    At most 123 contents, objects and packs, and 128 channels, streams, track formats and UIDs.
    """
    for kind, most in MOST_ELEMENTS.items():
        count = len(elements(master, kind))
        if count > most and not (kind in PER_TRACK and _told_by_fmt(master, profile, count)):
            yield Finding(
                detail=f"There are {count} {kind} elements.",
                location=kind,
                measured=count,
                allowed=f"at most {most}",
            )


def _told_by_fmt(master: AdmMaster, profile: Profile, count: int) -> bool:
    """Whether the count only follows from a file with too many tracks, which has its own rule."""
    return count == master.fmt.channels > profile.pcm.max_channels


@rule(
    AdmMaster,
    "too_many_objects",
    spec=PROFILE,
    fix="Use at most 118 objects; move what stands still into the bed.",
)
def too_many_objects(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A renderer has 128 inputs, of which the first ten are for a bed: 118 are left for objects."""
    packs = sum(type_of(pack) == OBJECTS for pack in elements(master, "audioPackFormat"))
    if packs > MOST_OBJECTS:
        yield Finding(
            detail=f"The master has {packs} objects.",
            location="audioPackFormat",
            measured=packs,
            allowed=f"at most {MOST_OBJECTS}",
        )
