"""Loudness of ITU-R BS.1770-4 and loudness range of EBU Tech 3342 from energies of 100 ms."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from services.validator.audio.arrays import HOPS_PER_SECOND, hop_frames, run_frames
from services.validator.audio.filters import BlockFilter, k_weighting
from services.validator.audio.measurement import Moment

if TYPE_CHECKING:
    from shared.adm.arrays import Block, Doubles

ABSOLUTE_GATE = -70.0
MOMENTARY_HOPS = 4
SHORT_TERM_HOPS = 30
MAX_MOMENTS = 600
_RELATIVE_GATE = -10.0
_RANGE_GATE = -20.0
_RANGE_SHARES = (0.10, 0.95)
_OFFSET = -0.691


@dataclass(slots=True)
class LoudnessMeter:
    """Takes blocks of whole hops and keeps eight bytes for each hop."""

    rate: int
    weights: tuple[float, ...]
    _filter: BlockFilter = field(init=False)
    _energies: array[float] = field(default_factory=lambda: array("d"))

    def __post_init__(self) -> None:
        """Prepare the weighting filter."""
        stages = k_weighting(self.rate)
        self._filter = BlockFilter(stages, len(self.weights), run_frames(self.rate))

    def add(self, block: Block) -> None:
        """Weigh a block of whole hops x channels."""
        hop = hop_frames(self.rate)
        weighted = self._filter.filter(block).reshape(-1, hop, len(self.weights))
        energies = np.einsum("hfc,hfc->hc", weighted, weighted).astype(np.float64) / hop
        self._energies.extend((energies @ np.array(self.weights)).tolist())

    @property
    def integrated(self) -> float | None:
        """The gated loudness of everything so far in LUFS."""
        energies = _means(self._hops, MOMENTARY_HOPS)
        gated = _above(energies, ABSOLUTE_GATE)
        if not gated.size:
            return None
        return _lufs(float(_above(gated, _level(gated) + _RELATIVE_GATE).mean()))

    @property
    def range(self) -> float | None:
        """The loudness range so far in LU, from 3 s that begin every second as in libebur128."""
        gated = _above(_means(self._hops, SHORT_TERM_HOPS)[::HOPS_PER_SECOND], ABSOLUTE_GATE)
        if not gated.size:
            return None
        kept = np.sort(_above(gated, _level(gated) + _RANGE_GATE))
        low, high = (kept[int((len(kept) - 1) * share + 0.5)] for share in _RANGE_SHARES)
        return 10 * math.log10(high / low)

    def moments(self) -> tuple[Moment, ...]:
        """Return the loudness over time in at most MAX_MOMENTS steps of equal length."""
        momentary, short = (_means(self._hops, each) for each in (MOMENTARY_HOPS, SHORT_TERM_HOPS))
        step = -(-len(self._energies) // MAX_MOMENTS) or 1
        return tuple(
            Moment(
                end / 10,
                _loudest(momentary, end - step, end, MOMENTARY_HOPS),
                _loudest(short, end - 1, end, SHORT_TERM_HOPS),
            )
            for end in range(step, len(self._energies) + 1, step)
        )

    @property
    def _hops(self) -> Doubles:
        return np.array(self._energies)


def _means(hops: Doubles, count: int) -> Doubles:
    """Return the mean of every ``count`` hops in a row; empty when there are fewer."""
    if len(hops) < count:
        return np.empty(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(hops, count).mean(axis=1))


def _above(energies: Doubles, lufs: float) -> Doubles:
    kept: Doubles = energies[energies >= 10 ** ((lufs - _OFFSET) / 10)]
    return kept


def _level(energies: Doubles) -> float:
    return _OFFSET + 10 * math.log10(float(energies.mean()))


def _lufs(energy: float) -> float | None:
    return _OFFSET + 10 * math.log10(energy) if energy > 0 else None


def _loudest(means: Doubles, first: int, end: int, count: int) -> float | None:
    """Return the loudest mean that ends in the hops from ``first`` to before ``end``."""
    part = means[max(first - count + 1, 0) : max(end - count + 1, 0)]
    return _lufs(float(part.max())) if part.size else None
