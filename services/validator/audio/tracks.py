"""What is said of each PCM track alone, and which tracks are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from services.validator.audio.arrays import Flags
    from shared.adm.arrays import Block, Indices

# Fewer samples at full scale in a row are a peak that just fits.
CLIPPED_SAMPLES = 3
_NEVER = -1


@dataclass(slots=True)
class Tracks:
    """Peaks, first and last sound, clipping and identity of all tracks, block by block."""

    channels: int
    bit_depth: int
    window: int
    peaks: Block = field(init=False)
    first: Indices = field(init=False)
    last: Indices = field(init=False)
    runs: Indices = field(init=False)
    first_clip: Indices = field(init=False)
    _run: Indices = field(init=False)
    _groups: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        """Start with silence, all tracks alike."""
        self.peaks = np.zeros(self.channels, np.float32)
        self.first = np.full(self.channels, _NEVER)
        self.last = np.full(self.channels, _NEVER)
        self.runs = np.zeros(self.channels, np.int64)
        self.first_clip = np.full(self.channels, _NEVER)
        self._run = np.zeros(self.channels, np.int64)
        self._groups = [list(range(self.channels))]

    def add(self, block: Block, peaks: Block, at: int) -> None:
        """Take a block, the peaks of its windows, and the frame where it starts."""
        highest = peaks.max(axis=0)
        np.maximum(self.peaks, highest, out=self.peaks)
        self._find_sound(block, peaks, highest > 0, at)
        self._find_clipping(block, highest, at)
        self._compare(block, peaks)

    def _find_sound(self, block: Block, peaks: Block, sounding: Flags, at: int) -> None:
        new = np.nonzero(sounding & (self.first == _NEVER))[0]
        if new.size:
            window = np.argmax(peaks[:, new] > 0, axis=0)
            inside = np.argmax(self._samples(block, window, new) != 0, axis=1)
            self.first[new] = at + window * self.window + inside
        self.last[block[-1] != 0] = at + len(block) - 1
        there = np.nonzero(sounding & (block[-1] == 0))[0]
        window = len(peaks) - 1 - np.argmax(peaks[::-1, there] > 0, axis=0)
        behind = np.argmax(self._samples(block, window, there)[:, ::-1] != 0, axis=1)
        self.last[there] = at + (window + 1) * self.window - 1 - behind

    def _samples(self, block: Block, window: Indices, channel: Indices) -> Block:
        return block.reshape(-1, self.window, self.channels)[window, :, channel]

    def _find_clipping(self, block: Block, highest: Block, at: int) -> None:
        full = np.float32(1 - 2.0 ** (1 - self.bit_depth))
        self._run[highest < full] = 0
        for channel in np.nonzero(highest >= full)[0].tolist():
            self._count_runs(np.abs(block[:, channel]) >= full, channel, at)

    def _count_runs(self, clipped: Flags, channel: int, at: int) -> None:
        """Count each run once, where it reaches its length; a run may cross blocks."""
        before = min(int(self._run[channel]), CLIPPED_SAMPLES)
        joined = np.concatenate([np.zeros(1, bool), np.ones(before, bool), clipped])
        long = joined[CLIPPED_SAMPLES:].copy()
        for back in range(1, CLIPPED_SAMPLES):
            long &= joined[CLIPPED_SAMPLES - back : -back]
        start = np.nonzero(long & ~joined[:-CLIPPED_SAMPLES])[0]
        found = start + CLIPPED_SAMPLES - 1 - before
        found = found[found >= 0]
        self.runs[channel] += len(found)
        if found.size and self.first_clip[channel] == _NEVER:
            self.first_clip[channel] = at + found[0] - CLIPPED_SAMPLES + 1
        self._run[channel] = np.argmin(joined[::-1])

    def _compare(self, block: Block, peaks: Block) -> None:
        """Split groups of tracks that were the same until now."""
        split: list[list[int]] = []
        for group in self._groups:
            by_peaks: dict[bytes, list[int]] = {}
            for channel in group:
                by_peaks.setdefault(peaks[:, channel].tobytes(), []).append(channel)
            for alike in by_peaks.values():
                split += _same(block, alike)
        self._groups = [group for group in split if len(group) > 1]

    @property
    def identical(self) -> tuple[tuple[int, int], ...]:
        """Pairs of tracks, counted from 1, that are the same and sound."""
        return tuple(
            (group[0] + 1, other + 1)
            for group in self._groups
            if self.peaks[group[0]] > 0
            for other in group[1:]
        )


def _same(block: Block, channels: list[int]) -> list[list[int]]:
    """Split channels into groups of the very same samples."""
    groups: list[list[int]] = []
    for channel in channels:
        for group in groups:
            if np.array_equal(block[:, group[0]], block[:, channel]):
                group.append(channel)
                break
        else:
            groups.append([channel])
    return groups
