"""The MP4 container: whole, with a sound track whose samples are in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.source import FormatError
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.mp4 import Mp4
    from services.validator.profile import Profile

_SPEC = "ISO/IEC 14496-12"


@dataclass(frozen=True, slots=True)
class Mp4File:
    """An MP4 file as far as it could be walked, and its size in bytes."""

    mp4: Mp4 | FormatError
    size: int


@rule(Mp4File, "mp4_malformed", spec=_SPEC)
def mp4_malformed(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """Boxes stay in their parents and tables agree."""
    if isinstance(file.mp4, FormatError):
        yield Finding(detail=f"{file.mp4.detail}.", location=f"byte {file.mp4.offset}")


@rule(Mp4File, "file_truncated", spec=_SPEC)
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


@rule(Mp4File, "sound_track_missing", spec=f"{_SPEC} §8.3")
def sound_track_missing(file: Mp4File, _: Profile) -> Iterator[Finding]:
    """A master has a track of sound, with at least one sample."""
    if isinstance(file.mp4, FormatError) or file.mp4.overrun:
        return
    track = file.mp4.audio()
    if track is None or not track.sizes:
        what = "no moov box" if not file.mp4.has_moov else f"{len(file.mp4.tracks)} tracks"
        yield Finding(detail="The file has no sound.", measured=what, allowed="a sound track")
