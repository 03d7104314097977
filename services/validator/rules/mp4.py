"""The MP4 container: whole, with a sound track whose samples are in the file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from services.validator.formats.mp4 import Mp4
from services.validator.rules.registry import Finding, rule
from shared.adm.source import FormatError
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.mp4 import Track
    from services.validator.profile import Profile

_SPEC = "ISO/IEC 14496-12"
_PACKAGE = "Package the coded stream again with a conforming MP4 tool."
_PRIMING_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Mp4File:
    """An MP4 file as far as it could be walked, and its size in bytes."""

    mp4: Mp4 | FormatError
    size: int

    @property
    def track(self) -> Track | None:
        """The sound track, None when there is none or the file could not be walked."""
        return self.mp4.audio() if isinstance(self.mp4, Mp4) else None


@rule(Mp4File, "mp4_malformed", spec=_SPEC, fix=_PACKAGE)
def mp4_malformed(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """Boxes stay in their parents and tables agree."""
    if isinstance(file.mp4, FormatError):
        yield Finding(detail=f"{file.mp4.detail}.", location=f"byte {file.mp4.offset}")


@rule(
    Mp4File,
    "file_truncated",
    spec=_SPEC,
    fix="Transfer the file again: it is shorter than it says.",
)
def mp4_truncated(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """No box and no sample reaches past the end of the file."""
    if isinstance(file.mp4, FormatError):
        return
    overrun = file.mp4.overrun
    ends = [(overrun.end, f"{overrun.kind} box, byte {overrun.offset}")] if overrun else []
    for track in file.mp4.tracks:
        last = max((offset + size for offset, size in track.samples()), default=0)
        if last > file.size:
            ends.append((last, f"track {track.number}"))
    if ends:
        end, where = max(ends)
        yield Finding(
            detail="The file is cut off: it announces more bytes than it has.",
            location=where,
            measured=f"{file.size} bytes",
            allowed=f"{end} bytes",
        )


@rule(
    Mp4File,
    "sound_track_missing",
    spec=f"{_SPEC} §8.3",
    fix="Deliver a file with a track of coded sound.",
)
def sound_track_missing(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """A master has a track of sound, with at least one sample."""
    if isinstance(file.mp4, FormatError) or file.mp4.overrun:
        return
    if file.track is None or not file.track.sizes:
        what = "no moov box" if not file.mp4.has_moov else f"{len(file.mp4.tracks)} tracks"
        yield Finding(detail="The file has no sound.", measured=what, allowed="a sound track")


@rule(Mp4File, "mp4_samples_overlap", spec=f"{_SPEC} §8.7", fix=_PACKAGE)
def mp4_samples_overlap(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """Each sample has bytes of its own."""
    track = file.track
    places = sorted(track.samples()) if track else []
    shared = (after for before, after in pairwise(places) if sum(before) > after[0])
    for offset, _size in shared:
        yield Finding(detail="Two samples share bytes.", location=f"byte {offset}")


@rule(Mp4File, "sample_count_differs", spec=f"{_SPEC} §8.6.1", fix=_PACKAGE)
def sample_count_differs(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """The time table counts the samples that are there."""
    track = file.track
    if track is not None and track.timed_samples != len(track.sizes):
        yield Finding(
            detail="The time table counts other samples than there are.",
            location="stts box",
            measured=track.timed_samples,
            allowed=len(track.sizes),
        )


@rule(
    Mp4File,
    "edit_list_cuts",
    spec=f"{_SPEC} §8.6.6",
    severity=Severity.WARNING,
    fix="Remove the edit list, or let it play the whole track once.",
)
def edit_list_cuts(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """The edit list plays the whole track: what it leaves out is heard by nobody.

    A little is allowed, which encoders leave out at the start and the end.
    """
    track = file.track
    if track is None or not track.edits or not track.timescale or not track.timed:
        return
    whole = track.timed / track.timescale
    played = sum(seconds for seconds, start in track.edits if start >= 0)
    empty = sum(seconds for seconds, start in track.edits if start < 0)
    open_ended = file.mp4.fragmented and played == 0  # type: ignore[union-attr] # a track is there
    if not open_ended and (abs(whole - played) > _PRIMING_SECONDS or empty > _PRIMING_SECONDS):
        yield Finding(
            detail="The edit list does not play the whole track once.",
            location="elst box",
            measured=f"{played:.3f} s played, {empty:.3f} s empty",
            allowed=f"{whole:.3f} s",
        )
