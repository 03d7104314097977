"""The coded streams that can carry Atmos: how each is framed and who judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.families.ac4 import judge_ac4
from services.validator.families.eac3 import judge_eac3
from services.validator.families.truehd import judge_truehd
from services.validator.formats import ac4, eac3, framing, truehd
from services.validator.formats.kinds import Kind, Recognised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from services.validator.formats.mp4 import Track
    from services.validator.verdict import Verdict
    from shared.adm.source import Source

    Frames = Iterable[tuple[int, bytes]]
    Judge = Callable[[Frames, Recognised, Track | None, Verdict], None]


@dataclass(frozen=True, slots=True)
class _Codec:
    """One codec: how long a frame's head is, what size it tells, and who judges the frames."""

    header_bytes: int
    frame_size: Callable[[bytes], int]
    judge: Judge
    bare_samples: bool = False

    def frames(self, parts: Frames) -> Iterator[tuple[int, bytes]]:
        return framing.frames(parts, self.header_bytes, self.frame_size)

    def track_frames(self, source: Source, track: Track) -> Iterator[tuple[int, bytes]]:
        """Yield a track's frames; a bare sample is one frame without its sync word."""
        if self.bare_samples:
            return ((offset, source.read(offset, size)) for offset, size in track.samples())
        return framing.sample_frames(source, track.samples(), self.header_bytes, self.frame_size)


_CODECS = {
    Kind.EAC3: _Codec(eac3.HEADER_BYTES, eac3.frame_size, judge_eac3),
    Kind.AC4: _Codec(ac4.HEADER_BYTES, ac4.frame_size, judge_ac4, bare_samples=True),
    Kind.TRUEHD: _Codec(truehd.HEADER_BYTES, truehd.frame_size, judge_truehd),
}


def judge_raw(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a file that is nothing but a stream; its kind is one of CODED."""
    judge_pieces(framing.pieces(source), recognised, verdict)


def judge_pieces(parts: Frames, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a stream that comes in pieces, each with its offset; its kind is one of CODED."""
    codec = _CODECS[recognised.kind]
    codec.judge(codec.frames(parts), recognised, None, verdict)


def judge_track(source: Source, track: Track, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a track of an MP4 file; its kind is one of CODED."""
    codec = _CODECS[recognised.kind]
    codec.judge(codec.track_frames(source, track), recognised, track, verdict)
