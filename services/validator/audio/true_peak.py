"""True peak of ITU-R BS.1770-4 annex 2: the highest value between the samples too.

Oversampling is a matrix product over windows. A window that no interpolation can lift above the
channel's present peak is passed over, and nothing is lost by that. Two bounds tell so: by the
highest sample in reach, and by how sharply the samples bend: a smooth curve stays close to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from services.validator.audio.arrays import window_frames, window_peaks

if TYPE_CHECKING:
    from shared.adm.arrays import Block, Indices

_TAPS = 49
_FOURFOLD_BELOW = 96_000
_TWOFOLD_BELOW = 192_000
# So many windows are interpolated by one product: a few hundred kilobytes.
_WINDOWS = 2048
_MANY = 1 / 8
# What single precision may be off by, on the safe side.
_ROUNDING = 1 + 1e-5


def oversampling(rate: int) -> int:
    """Return how many times a rate is oversampled: to 192 kHz or more."""
    if rate < _FOURFOLD_BELOW:
        return 4
    return 2 if rate < _TWOFOLD_BELOW else 1


def interpolator(factor: int) -> Block:
    """Return the phases between the samples, phases x taps, oldest sample first.

    A sinc under a Hann window; the phase on the samples is the samples themselves.
    """
    centre = _TAPS // 2
    response = [
        _sinc((tap - centre) / factor) * (0.5 - 0.5 * math.cos(2 * math.pi * tap / (_TAPS - 1)))
        for tap in range(_TAPS)
    ]
    phases = [response[phase::factor] for phase in range(1, factor)]
    return np.array([phase[::-1] for phase in phases], np.float32).reshape(
        factor - 1, _TAPS // factor
    )


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


@dataclass(slots=True)
class TruePeakMeter:
    """Takes blocks of whole windows; ``peaks`` are linear, one for each channel."""

    rate: int
    channels: int
    peaks: Block = field(init=False)
    _window: int = field(init=False)
    _matrix: Block = field(init=False)
    _gain: float = field(init=False)
    _smooth: float = field(init=False)
    _bent: float = field(init=False)
    _taps: int = field(init=False)
    _before: Block = field(init=False)
    _last: Block = field(init=False)

    def __post_init__(self) -> None:
        """Lay the phases out for one window of samples and those before it."""
        self._window = window_frames(self.rate)
        phases = interpolator(oversampling(self.rate))
        self._taps = phases.shape[1]
        self._matrix = _banded(phases, self._window, self._taps)
        self._gain = float(np.abs(phases).sum(axis=1).max(initial=0))
        self._smooth, self._bent = curvature_bound(phases)
        self._before = np.zeros((self._taps - 1, self.channels), np.float32)
        self._last = np.zeros((-(-(self._taps - 1) // self._window), self.channels), np.float32)
        self.peaks = np.zeros(self.channels, np.float32)

    @property
    def history(self) -> int:
        """How many frames before a block are needed to measure it."""
        return self._taps - 1

    def add(self, joined: Block, peaks: Block, frames: int) -> None:
        """Take a block and the peaks of its windows; only its first ``frames`` are real.

        The block comes after ``history`` frames of room, which are filled here.
        """
        np.maximum(self.peaks, peaks.max(axis=0), out=self.peaks)
        if not self._matrix.size:
            return
        joined[: self.history] = self._before
        reach = np.concatenate([self._last, peaks])
        level = peaks.copy()
        for back in range(len(self._last)):
            np.maximum(level, reach[back : back + len(peaks)], out=level)
        bound = level * self._gain
        if np.count_nonzero(bound > self.peaks) > bound.size * _MANY:
            # A second look costs less than it spares.
            bound = np.minimum(bound, level * self._smooth + self._bends(joined) * self._bent)
        self._interpolate(joined, bound, frames)
        self._before = joined[len(joined) - self.history :].copy()
        self._last = reach[len(peaks) :]

    def _interpolate(self, joined: Block, bound: Block, frames: int) -> None:
        """Measure the windows that can still raise a peak, a few at a time."""
        rows, columns = np.nonzero(bound > self.peaks)
        windows = self._windows(joined)
        for first in range(0, len(rows), _WINDOWS):
            row, column = rows[first : first + _WINDOWS], columns[first : first + _WINDOWS]
            if first:
                hopeful = bound[row, column] > self.peaks[column]
                row, column = row[hopeful], column[hopeful]
            between = np.matmul(self._matrix, windows[row, column].T)
            if frames < len(bound) * self._window:
                self._cut(between, frames - row * self._window)
            np.abs(between, out=between)
            np.maximum.at(self.peaks, column, between.max(axis=0))

    def _windows(self, joined: Block) -> Block:
        """Return a view of every window with the history before it, windows x channels x frames."""
        frame, sample = joined.strides
        count = (len(joined) - self.history) // self._window
        shape = (count, self.channels, self._window + self.history)
        return np.ndarray(shape, np.float32, joined, 0, (frame * self._window, sample, frame))

    def _bends(self, joined: Block) -> Block:
        """Return the highest second difference in reach of each window, windows x channels."""
        count = (len(joined) - self.history) // self._window
        behind = -(-(self.history - 2) // self._window)
        bends = np.zeros(((count + behind) * self._window, self.channels), np.float32)
        inner = bends[: len(joined) - 2]
        np.add(joined[2:], joined[:-2], out=inner)
        inner -= joined[1:-1]
        inner -= joined[1:-1]
        peaks = window_peaks(bends, self._window)
        highest = peaks[:count].copy()
        for ahead in range(1, behind + 1):
            np.maximum(highest, peaks[ahead : ahead + count], out=highest)
        return highest

    def _cut(self, between: Block, left: Indices) -> None:
        """Forget what would lie past the last real frame, ``left`` frames into each window."""
        phases = len(between) // self._window
        between[np.arange(len(between))[:, np.newaxis] // phases >= left] = 0


def _banded(phases: Block, window: int, taps: int) -> Block:
    """Return the product's matrix: outputs x samples of a window and its history."""
    matrix = np.zeros((window, len(phases), window + taps - 1), np.float32)
    for frame in range(window):
        matrix[frame, :, frame : frame + taps] = phases
    return matrix.reshape(-1, window + taps - 1)


def curvature_bound(phases: Block) -> tuple[float, float]:
    """Return a and b: no interpolation exceeds a x the samples + b x their second differences.

    A phase is a linear interpolation, which exceeds no sample, plus a rest that neither a constant
    nor a slope can move: the rest is a sum of second differences, and b bounds its weights.
    """
    smooth, bent = 0.0, 0.0
    for taps in phases.astype(np.float64):
        total = taps.sum()
        at, part = divmod(float((taps * np.arange(len(taps))).sum() / total), 1.0)
        rest = taps.copy()
        rest[int(at)] -= total * (1 - part)
        rest[int(at) + 1] -= total * part
        smooth = max(smooth, abs(total))
        bent = max(bent, float(np.abs(rest.cumsum().cumsum()).sum()))
    return smooth * _ROUNDING, bent * _ROUNDING
