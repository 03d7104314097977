"""The chunks chna and axml: both there, readable, and saying the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.formats.axml import Adm
from services.validator.formats.chna import Chna, ChnaEntry
from services.validator.formats.source import FormatError
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.axml import Element
    from services.validator.profile import Profile

_PROFILE = "Dolby Atmos Master ADM Profile v1.0"
_CHNA = "ITU-R BS.2088 §8"
_TYPES = ("0001", "0003")
# Identifiers below this number are the common definitions of ITU-R BS.2094.
_FIRST_CUSTOM = 0x1000
_COMMON = ("audioPackFormat", "audioChannelFormat", "audioStreamFormat", "audioTrackFormat")


@rule(AdmMaster, "chna_missing", spec=_CHNA)
def chna_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The chna chunk says which track is which."""
    if master.chna is None:
        yield Finding(detail="There is no chna chunk: no track is tied to the metadata.")


@rule(AdmMaster, "chna_malformed", spec=_CHNA)
def chna_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The table has the length that its head says."""
    if isinstance(master.chna, FormatError):
        yield Finding(detail=f"{master.chna.detail}.", location=master.offset_of("chna"))


@rule(AdmMaster, "axml_missing", spec="ITU-R BS.2088 §7")
def axml_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The axml chunk holds the programme, the beds and the objects."""
    if master.adm is None:
        yield Finding(detail="There is no axml chunk: no bed and no object is described.")


@rule(AdmMaster, "axml_malformed", spec="ITU-R BS.2088 §7; W3C XML 1.0")
def axml_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The XML is well-formed and declares no document type."""
    if isinstance(master.adm, FormatError):
        yield Finding(detail=f"{master.adm.detail}.", location=master.offset_of("axml"))


@rule(AdmMaster, "adm_root_count", spec="ITU-R BS.2076 §5")
def adm_root_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The XML holds one audioFormatExtended."""
    if isinstance(master.adm, Adm) and master.adm.roots != 1:
        yield Finding(
            detail="The axml chunk must hold one audioFormatExtended element.",
            location=master.offset_of("axml"),
            measured=master.adm.roots,
            allowed=1,
        )


@rule(AdmMaster, "programme_count", spec=_PROFILE)
def programme_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A master is one programme."""
    if isinstance(master.adm, Adm) and len(master.adm.of("audioProgramme")) != 1:
        yield Finding(
            detail="A master must have one audioProgramme.",
            location="audioProgramme",
            measured=len(master.adm.of("audioProgramme")),
            allowed=1,
        )


@rule(AdmMaster, "type_not_allowed", spec=_PROFILE)
def type_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Atmos is made of DirectSpeakers and Objects: no matrix, no ambisonics, no binaural."""
    if not isinstance(master.adm, Adm):
        return
    for pack in master.adm.of("audioPackFormat"):
        label = pack.attributes.get("typeLabel", "")
        if label not in _TYPES:
            yield Finding(
                detail=f"The pack {pack.identifier} is neither a bed nor an object.",
                location=pack.identifier,
                measured=f"typeLabel {label!r}",
                allowed=" or ".join(_TYPES),
            )


@rule(AdmMaster, "id_duplicated", spec="ITU-R BS.2076 §6")
def id_duplicated(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An identifier names one element."""
    if not isinstance(master.adm, Adm):
        return
    counts = Counter((each.kind, each.identifier.upper()) for each in master.adm)
    for (kind, identifier), count in counts.items():
        if count > 1:
            yield Finding(
                detail=f"{count} {kind} elements have the identifier {identifier}.",
                location=identifier,
                measured=count,
                allowed=1,
            )


@rule(AdmMaster, "reference_unresolved", spec="ITU-R BS.2076 §5")
def reference_unresolved(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """What is referred to is there."""
    if not isinstance(master.adm, Adm):
        return
    known = {(each.kind, each.identifier.upper()) for each in master.adm}
    for element in master.adm:
        for kind, identifier in element.references:
            if (kind, identifier.upper()) not in known and not _is_common(kind, identifier):
                yield Finding(
                    detail=f"{element.identifier} refers to {identifier}, which is not there.",
                    location=element.identifier,
                    measured=identifier,
                    allowed=f"the identifier of an {kind}",
                )


def _is_common(kind: str, identifier: str) -> bool:
    try:
        return kind in _COMMON and int(identifier[7:11], 16) < _FIRST_CUSTOM
    except ValueError:
        return False


@rule(AdmMaster, "chna_track_count", spec=_CHNA)
def chna_track_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The chna chunk counts the tracks that the file has."""
    if isinstance(master.chna, Chna) and master.chna.tracks != master.fmt.channels:
        yield Finding(
            detail="chna and fmt count the tracks differently.",
            location=master.offset_of("chna"),
            measured=master.chna.tracks,
            allowed=master.fmt.channels,
        )


@rule(AdmMaster, "chna_tracks_wrong", spec=_CHNA)
def chna_tracks_wrong(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Each track of the file is in chna exactly once."""
    if not isinstance(master.chna, Chna):
        return
    counts = Counter(entry.track for entry in master.chna.entries)
    for track in sorted(counts.keys() | set(range(1, master.fmt.channels + 1))):
        right = int(track <= master.fmt.channels)
        if counts[track] != right:
            yield Finding(
                detail=f"Track {track} is in chna {counts[track]} times.",
                location=f"track {track}",
                measured=counts[track],
                allowed=right,
            )


@rule(AdmMaster, "chna_uids_differ", spec=_CHNA)
def chna_uids_differ(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Both chna and axml know the same audioTrackUIDs."""
    if not (isinstance(master.chna, Chna) and isinstance(master.adm, Adm)):
        return
    in_chna = {entry.uid.upper() for entry in master.chna.entries}
    in_axml = {each.identifier.upper() for each in master.adm.of("audioTrackUID")}
    for uid in sorted(in_chna ^ in_axml):
        here, there = ("chna", "axml") if uid in in_chna else ("axml", "chna")
        yield Finding(detail=f"{uid} is in {here}, but not in {there}.", location=uid)


@rule(AdmMaster, "chna_track_format_differs", spec=_CHNA)
def chna_track_format_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Both chna and axml tie a UID to the same audioTrackFormat."""
    for entry, uid in _pairs(master):
        yield from _compare(entry.uid, entry.track_format, uid, "audioTrackFormat")


@rule(AdmMaster, "chna_pack_format_differs", spec=_CHNA)
def chna_pack_format_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Both chna and axml tie a UID to the same audioPackFormat."""
    for entry, uid in _pairs(master):
        yield from _compare(entry.uid, entry.pack_format, uid, "audioPackFormat")


def _pairs(master: AdmMaster) -> Iterator[tuple[ChnaEntry, Element]]:
    if isinstance(master.chna, Chna) and isinstance(master.adm, Adm):
        uids = {each.identifier.upper(): each for each in master.adm.of("audioTrackUID")}
        for entry in master.chna.entries:
            if entry.uid.upper() in uids:
                yield entry, uids[entry.uid.upper()]


def _compare(location: str, in_chna: str, uid: Element, kind: str) -> Iterator[Finding]:
    in_axml = " ".join(uid.refers_to(kind))
    here, there = in_chna or "nothing", in_axml or "nothing"
    if in_chna.upper() != in_axml.upper():
        yield Finding(
            detail=f"chna ties {location} to {here}, axml to {there}.",
            location=location,
            measured=in_chna,
            allowed=in_axml,
        )


@rule(AdmMaster, "uid_sample_rate_differs", spec=_PROFILE)
def uid_sample_rate_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An audioTrackUID states the rate of the fmt chunk."""
    yield from _uid_attribute(master, "sampleRate", master.fmt.sample_rate)


@rule(AdmMaster, "uid_bit_depth_differs", spec=_PROFILE)
def uid_bit_depth_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An audioTrackUID states the bit depth of the fmt chunk."""
    yield from _uid_attribute(master, "bitDepth", master.fmt.bit_depth)


def _uid_attribute(master: AdmMaster, name: str, right: int) -> Iterator[Finding]:
    for uid in master.adm.of("audioTrackUID") if isinstance(master.adm, Adm) else []:
        stated = uid.attributes.get(name, "")
        if stated != str(right):
            yield Finding(
                detail=f"{uid.identifier} states another {name} than the file has.",
                location=uid.identifier,
                measured=stated,
                allowed=right,
            )
