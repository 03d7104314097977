"""A whole E-AC-3 stream, summed up frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.validator.formats import eac3, emdf
from services.validator.formats.dec3 import Dec3, Substream
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.validator.formats.mp4 import Track

_SAMPLES_PER_BLOCK = 256
MAX_KEPT = 8


@dataclass(slots=True)
class Eac3Stream:
    """What the main programme's frames (independent substream 0) say, taken together.

    ``track`` and ``dec3`` are None without an MP4 file around the stream. ``signalled`` counts
    frames whose addbsi announces Atmos, ``carrying`` those with both OAMD and JOC; ``longest_gap``
    is the longest run of frames without. Frames count from 0 and are the main programme's;
    ``crc_failures``, ``malformed``, ``misplaced`` and the sets keep their first few values.
    """

    track: Track | None = None
    dec3: Dec3 | FormatError | None = None
    frames: int = 0
    first: eac3.Syncframe | None = None
    signalled: int = 0
    carrying: int = 0
    longest_gap: int = 0
    complexities: set[int] = field(default_factory=set)
    programmes: set[tuple[emdf.Oamd, int]] = field(default_factory=set)
    crc_failures: list[int] = field(default_factory=list)
    malformed: list[int] = field(default_factory=list)
    misplaced: list[int] = field(default_factory=list)
    dependents: set[int] = field(default_factory=set)
    independents: set[int] = field(default_factory=set)
    changed_at: int | None = None
    broken: FormatError | None = None
    _gap: int = 0
    _inside: int = 0

    @property
    def announced_complexity(self) -> int | None:
        """What dec3 says, None when it says nothing."""
        return self.dec3.complexity if isinstance(self.dec3, Dec3) else None

    @property
    def claims_atmos(self) -> bool:
        """Whether anything at all in the file speaks of Atmos."""
        said = self.announced_complexity is not None
        return bool(self.signalled or self.carrying or self.malformed or said)

    @property
    def frame_seconds(self) -> float:
        """How long one frame plays; 0 when there is none."""
        first = self.first
        return first.blocks * _SAMPLES_PER_BLOCK / first.sample_rate if first else 0.0

    @property
    def seconds(self) -> float:
        """How long the main programme plays."""
        return self.frames * self.frame_seconds

    @property
    def main(self) -> Substream | None:
        """The main programme in the words of dec3; None when there is no frame."""
        first = self.first
        if first is None:
            return None
        return Substream(first.sample_rate, first.acmod, first.lfe, len(self.dependents))

    def add(self, position: int, data: bytes) -> None:
        """Take in the frame at a byte offset; raises FormatError when its head is cut off."""
        try:
            frame = eac3.parse_frame(data)
        except FormatError as error:
            raise FormatError(error.detail, position) from error
        if not eac3.crc_ok(data):
            _keep(self.crc_failures, self.frames)
        if frame.kind == eac3.DEPENDENT:
            self._add_dependent(frame, data)
        else:
            self._inside = frame.substream
            self.independents.add(frame.substream)
            if frame.substream == 0:
                self._add_main(frame, data)

    def _add_dependent(self, frame: eac3.Syncframe, data: bytes) -> None:
        if self._inside == 0:
            self.dependents.add(frame.substream)
        if emdf.JOC in emdf.find_payloads(data):
            _keep(self.misplaced, self.frames)

    def _add_main(self, frame: eac3.Syncframe, data: bytes) -> None:
        self.first = self.first or frame
        if self.changed_at is None and frame.parameters != self.first.parameters:
            self.changed_at = self.frames
        if frame.complexity is not None:
            self.signalled += 1
            if len(self.complexities) < MAX_KEPT:
                self.complexities.add(frame.complexity)
        self._add_payloads(emdf.find_payloads(data))
        self.frames += 1

    def _add_payloads(self, payloads: dict[int, bytes]) -> None:
        if emdf.OAMD not in payloads or emdf.JOC not in payloads:
            self._gap += 1
            self.longest_gap = max(self.longest_gap, self._gap)
            return
        self._gap = 0
        self.carrying += 1
        try:
            oamd = emdf.parse_oamd(payloads[emdf.OAMD])
            programme = (oamd, emdf.parse_joc(payloads[emdf.JOC]))
        except FormatError:
            _keep(self.malformed, self.frames)
            return
        if len(self.programmes) < MAX_KEPT:
            self.programmes.add(programme)


def _keep(frames: list[int], frame: int) -> None:
    if len(frames) < MAX_KEPT:
        frames.append(frame)


def read_stream(frames: Iterable[tuple[int, bytes]], stream: Eac3Stream) -> Eac3Stream:
    """Fill in a stream from frames and their offsets, up to where it is ``broken``."""
    try:
        for position, data in frames:
            stream.add(position, data)
    except FormatError as error:
        stream.broken = error
    return stream
