"""How much of the LFE channels lies where no LFE belongs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from services.validator.audio.arrays import run_frames
from services.validator.audio.filters import BlockFilter, high_pass

if TYPE_CHECKING:
    from shared.adm.arrays import Block, Doubles

LIMIT_HERTZ = 200.0


@dataclass(slots=True)
class BassMeter:
    """Compares the energy above 200 Hz with all energy, track by track."""

    rate: int
    tracks: tuple[int, ...]
    _filter: BlockFilter = field(init=False)
    _above: Doubles = field(init=False)
    _all: Doubles = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the filter."""
        stages = high_pass(self.rate, LIMIT_HERTZ)
        self._filter = BlockFilter(stages, len(self.tracks), run_frames(self.rate))
        self._above = np.zeros(len(self.tracks))
        self._all = np.zeros(len(self.tracks))

    def add(self, block: Block) -> None:
        """Take whole hops of these tracks only."""
        if self.tracks:
            above = self._filter.filter(block)
            self._all += np.einsum("fc,fc->c", block, block)
            self._above += np.einsum("rfc,rfc->c", above, above)

    @property
    def shares(self) -> dict[int, float]:
        """The share of the energy above 200 Hz by track, of those that sound."""
        return {
            track: float(above / total)
            for track, above, total in zip(self.tracks, self._above, self._all, strict=True)
            if total > 0
        }
