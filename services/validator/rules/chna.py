"""The chunk chna: there, readable, and saying the same as axml and the file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_parts import by_identifier
from services.validator.rules.registry import Finding, rule
from shared.adm.chna import Chna, ChnaEntry
from shared.adm.model import Adm
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element

_SPEC = "ITU-R BS.2088 §8"
_FIX = "Export the master again: chna and axml must be written together."


@rule(
    AdmMaster,
    "chna_missing",
    spec=_SPEC,
    fix="Export the master again as an ADM BWF, with its chna chunk.",
)
def chna_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The chna chunk says which track is which."""
    if master.chna is None:
        yield Finding(detail="There is no chna chunk: no track is tied to the metadata.")


@rule(
    AdmMaster,
    "chna_malformed",
    spec=_SPEC,
    fix="Write the chna chunk with 4 + 40 bytes for each slot, and count the slots that are used.",
)
def chna_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The table has the length that its head says."""
    if isinstance(master.chna, FormatError):
        yield Finding(detail=f"{master.chna.detail}.", location=master.offset_of("chna"))


@rule(
    AdmMaster,
    "chna_track_count",
    spec=_SPEC,
    fix="Let the head of chna count the tracks of the file.",
)
def chna_track_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The chna chunk counts the tracks that the file has."""
    if isinstance(master.chna, Chna) and master.chna.tracks != master.fmt.channels:
        yield Finding(
            detail="chna and fmt count the tracks differently.",
            location=master.offset_of("chna"),
            measured=master.chna.tracks,
            allowed=master.fmt.channels,
        )


@rule(
    AdmMaster,
    "chna_tracks_wrong",
    spec=_SPEC,
    fix="Give each track of the file one entry in chna.",
)
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


@rule(AdmMaster, "chna_uids_differ", spec=_SPEC, fix=_FIX)
def chna_uids_differ(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Both chna and axml know the same audioTrackUIDs."""
    if not (isinstance(master.chna, Chna) and isinstance(master.adm, Adm) and master.adm.roots):
        return
    in_chna = {entry.uid.upper() for entry in master.chna.entries}
    in_axml = by_identifier(master, "audioTrackUID").keys()
    for uid in sorted(in_chna ^ in_axml):
        here, there = ("chna", "axml") if uid in in_chna else ("axml", "chna")
        yield Finding(
            detail=f"{uid} is in {here}, but not in {there}.",
            location=uid,
            measured=here,
            allowed="chna and axml",
        )


@rule(AdmMaster, "chna_track_format_differs", spec=_SPEC, fix=_FIX)
def chna_track_format_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Both chna and axml tie a UID to the same audioTrackFormat."""
    for entry, uid in _pairs(master):
        yield from _compare(entry.uid, entry.track_format, uid, "audioTrackFormat")


@rule(AdmMaster, "chna_pack_format_differs", spec=_SPEC, fix=_FIX)
def chna_pack_format_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Both chna and axml tie a UID to the same audioPackFormat."""
    for entry, uid in _pairs(master):
        yield from _compare(entry.uid, entry.pack_format, uid, "audioPackFormat")


def _pairs(master: AdmMaster) -> Iterator[tuple[ChnaEntry, Element]]:
    if isinstance(master.chna, Chna):
        uids = by_identifier(master, "audioTrackUID")
        for entry in master.chna.entries:
            if entry.uid.upper() in uids:
                yield entry, uids[entry.uid.upper()]


def _compare(location: str, in_chna: str, uid: Element, kind: str) -> Iterator[Finding]:
    stated = uid.refers_to(kind)
    # Whether axml has one reference is another rule's question.
    if len(stated) == 1 and in_chna.upper() != stated[0].upper():
        yield Finding(
            detail=f"chna ties {location} to {in_chna or 'nothing'}, axml to {stated[0]}.",
            location=location,
            measured=in_chna,
            allowed=stated[0],
        )
