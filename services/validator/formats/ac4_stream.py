"""A whole AC-4 stream, summed up frame by frame in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from services.validator.formats import ac4
from services.validator.formats.ac4_presentation import Coding, coding_of, says_atmos, substreams_of
from services.validator.formats.ac4_toc import Toc, parse_toc
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from services.validator.formats.ac4_dac4 import Dac4

MAX_KEPT = 8
_LAST_COUNTER = 1020
_NTSC = Fraction(1000, 1001)
# Frames per second by frame_rate_index, at 48 kHz (ETSI TS 103 190-1 §4.3.3.2.6).
_RATES = (
    *(24 * _NTSC, 24, 25, 30 * _NTSC, 30, 48 * _NTSC, 48, 50, 60 * _NTSC, 60),
    *(100, 120 * _NTSC, 120, Fraction(48_000, 2048)),
)
_NATIVE_RATE = 13
_NATIVE_SAMPLES = 2048


@dataclass(slots=True)
class Ac4Stream:
    """What the frames of a stream say, taken together.

    ``framed`` is True for frames with sync words (raw files, MPEG-TS), False for MP4 samples, whose
    track is described by ``dac4``. Frames count from 0: ``changed_at`` is the first whose
    parameters are others than in ``first``; the lists keep their first MAX_KEPT frames.
    ``indicated`` holds the presentations that say, in some frame, that they come from Atmos.
    """

    framed: bool = True
    dac4: Dac4 | FormatError | None = None
    frames: int = 0
    first: Toc | None = None
    crc_failures: list[int] = field(default_factory=list)
    counter_breaks: list[int] = field(default_factory=list)
    changed_at: int | None = None
    indicated: set[int] = field(default_factory=set)
    broken: FormatError | None = None
    _counter: int = 0

    def add(self, position: int, data: bytes) -> None:
        """Take in the frame at an offset; raises FormatError, there, when it cannot be read."""
        try:
            self._add(data)
        except FormatError as error:
            raise FormatError(error.detail, position) from error

    def _add(self, data: bytes) -> None:
        if self.framed and len(self.crc_failures) < MAX_KEPT and not ac4.crc_ok(data):
            self.crc_failures.append(self.frames)
        frame = ac4.raw_frame(data) if self.framed else data
        toc = parse_toc(frame)
        if self.first is None:
            self.first = toc
        else:
            self._compare(self.first, toc)
        self._counter = toc.sequence_counter
        for index, presentation in enumerate(toc.presentations):
            if index not in self.indicated and says_atmos(frame, toc, presentation):
                self.indicated.add(index)
        self.frames += 1

    def _compare(self, first: Toc, toc: Toc) -> None:
        if self.changed_at is None and toc.parameters != first.parameters:
            self.changed_at = self.frames
        # The counter starts again at 1: 0 marks a splice, which is no gap.
        due = {self._counter + 1} if self._counter < _LAST_COUNTER else {1}
        if toc.sequence_counter not in due | {0} and len(self.counter_breaks) < MAX_KEPT:
            self.counter_breaks.append(self.frames)

    @property
    def codings(self) -> list[Coding]:
        """How each presentation carries its sound."""
        toc = self.first
        return [coding_of(toc, each) for each in toc.presentations] if toc else []

    @property
    def atmos_presentations(self) -> list[int]:
        """Which presentations are Atmos: of objects, or of channels with height that say so."""
        return [
            index
            for index, coding in enumerate(self.codings)
            if coding is Coding.OBJECTS
            or (coding is Coding.IMMERSIVE_CHANNELS and index in self.indicated)
        ]

    @property
    def a_joc(self) -> bool:
        """Whether objects are joint coded in some presentation."""
        toc = self.first
        return toc is not None and any(
            each.a_joc for p in toc.presentations for each in substreams_of(toc, p)
        )

    @property
    def objects(self) -> int:
        """The most objects that a presentation has, an LFE not counted."""
        toc = self.first
        if toc is None:
            return 0
        counts = (sum(s.objects for s in substreams_of(toc, p)) for p in toc.presentations)
        return max(counts, default=0)

    @property
    def seconds(self) -> float:
        """How long the frames play, without fractional or multiplied frame rates; 0 if unknown."""
        toc = self.first
        if toc is None or toc.frame_rate_index >= len(_RATES):
            return 0.0
        if toc.frame_rate_index == _NATIVE_RATE:
            return self.frames * _NATIVE_SAMPLES / toc.sample_rate
        return float(self.frames / Fraction(_RATES[toc.frame_rate_index]))
