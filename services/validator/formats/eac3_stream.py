"""A whole E-AC-3 stream, summed up frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.validator.formats import eac3, emdf
from services.validator.formats.dec3 import Dec3
from services.validator.formats.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.validator.formats.source import Source

_SAMPLES_PER_BLOCK = 256
MAX_KEPT = 8


@dataclass(slots=True)
class Eac3Stream:
    """What the main programme's frames (independent substream 0) say, taken together.

    ``dec3`` is None for a raw stream. ``signalled`` counts frames whose addbsi announces Atmos,
    ``carrying`` those with both OAMD and JOC; ``longest_gap`` is the longest run of frames without.
    Frames count from 0; ``crc_failures`` and the sets keep their first few values.
    """

    dec3: Dec3 | FormatError | None = None
    timed_samples: int | None = None
    access_units: int = 0
    frames: int = 0
    first: eac3.Syncframe | None = None
    signalled: int = 0
    carrying: int = 0
    longest_gap: int = 0
    complexities: set[int] = field(default_factory=set)
    programmes: set[tuple[emdf.Oamd, int]] = field(default_factory=set)
    crc_failures: list[int] = field(default_factory=list)
    changed_at: int | None = None
    broken: FormatError | None = None
    _gap: int = 0

    @property
    def announced_complexity(self) -> int | None:
        """What dec3 says, None when it says nothing."""
        return self.dec3.complexity if isinstance(self.dec3, Dec3) else None

    @property
    def claims_atmos(self) -> bool:
        """Whether anything at all in the file speaks of Atmos."""
        return bool(self.signalled or self.carrying or self.announced_complexity is not None)

    @property
    def frame_seconds(self) -> float:
        """How long one frame plays; 0 when there is none."""
        first = self.first
        return first.blocks * _SAMPLES_PER_BLOCK / first.sample_rate if first else 0.0

    def add(self, data: bytes) -> None:
        """Take one frame in; raises FormatError when its head cannot be read."""
        frame = eac3.parse_frame(data)
        if len(self.crc_failures) < MAX_KEPT and not eac3.crc_ok(data):
            self.crc_failures.append(self.frames)
        if (frame.kind, frame.substream) != (eac3.INDEPENDENT, 0):
            return
        self.first = self.first or frame
        if self.changed_at is None and frame.parameters != self.first.parameters:
            self.changed_at = self.frames
        self._add_signalling(frame)
        self._add_payloads(emdf.find_payloads(data))
        self.frames += 1

    def _add_signalling(self, frame: eac3.Syncframe) -> None:
        if frame.complexity is not None:
            self.signalled += 1
            if len(self.complexities) < MAX_KEPT:
                self.complexities.add(frame.complexity)

    def _add_payloads(self, payloads: dict[int, bytes]) -> None:
        if emdf.OAMD not in payloads or emdf.JOC not in payloads:
            self._gap += 1
            self.longest_gap = max(self.longest_gap, self._gap)
            return
        self._gap = 0
        self.carrying += 1
        if len(self.programmes) < MAX_KEPT:
            oamd = emdf.parse_oamd(payloads[emdf.OAMD])
            self.programmes.add((oamd, emdf.parse_joc(payloads[emdf.JOC])))


def read_stream(source: Source, spans: Iterable[tuple[int, int]], stream: Eac3Stream) -> Eac3Stream:
    """Fill in a stream from the frames in spans of the file, up to where it is ``broken``."""
    for offset, size in spans:
        stream.access_units += 1
        try:
            for position, data in _frames(source, offset, size):
                _add(stream, data, position)
        except FormatError as error:
            stream.broken = error
            break
    return stream


def _frames(source: Source, offset: int, size: int) -> Iterator[tuple[int, bytes]]:
    end = offset + size
    while offset < end:
        try:
            length = eac3.frame_size(source.peek(offset, eac3.HEADER_BYTES))
        except FormatError as error:
            raise FormatError(error.detail, offset) from error
        if offset + length > end:
            raise FormatError(f"A frame of {length} bytes has only {end - offset}", offset)
        yield offset, source.read(offset, length)
        offset += length


def _add(stream: Eac3Stream, data: bytes, position: int) -> None:
    try:
        stream.add(data)
    except FormatError as error:
        raise FormatError(error.detail, position) from error
