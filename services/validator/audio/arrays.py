"""The few operations on blocks of samples that every part needs.

Windows are short runs of frames whose absolute peak is
found once and then answers most questions: silence, clipping, and where a true peak can be.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from shared.adm.arrays import Block

Flags: TypeAlias = npt.NDArray[np.bool_]

HOPS_PER_SECOND = 10
_LONGEST_WINDOW = 16
_WINDOWS_IN_RUN = 3


def hop_frames(rate: int) -> int:
    """Return the frames of 100 ms, the step of every loudness measure."""
    return round(rate / HOPS_PER_SECOND)


def divisor(number: int, at_most: int) -> int:
    """Return the largest divisor of ``number`` that is not above ``at_most``."""
    return next(size for size in range(min(at_most, number), 0, -1) if number % size == 0)


def window_frames(rate: int) -> int:
    """Return the frames of one window: a whole number of windows makes one hop."""
    return divisor(hop_frames(rate), _LONGEST_WINDOW)


def run_frames(rate: int) -> int:
    """Return the frames that one product filters: whole windows, and a hop is whole runs."""
    window = window_frames(rate)
    return window * divisor(hop_frames(rate) // window, _WINDOWS_IN_RUN)


def window_peaks(block: Block, window: int) -> Block:
    """Return the absolute peak of every window, windows x channels.

    Halves are folded onto each other, so that the inner loops are long.
    """
    frames, channels = block.shape
    folded = np.abs(block).reshape(frames // window, window * channels)
    rows = window
    while rows > 1:
        half = rows // 2
        low, high = folded[:, : half * channels], folded[:, (rows - half) * channels :]
        np.maximum(low, high[:, : half * channels], out=low)
        rows -= half
    return folded[:, :channels]


def decibels(amplitude: float) -> float | None:
    """Return an amplitude in decibels, or None for zero."""
    return 20 * math.log10(amplitude) if amplitude > 0 else None
