"""Loudness and true peak of the stereo programme, measured while it passes: ITU-R BS.1770-4."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from services.publisher.mixing import Outlet
from services.publisher.order import Loudness

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

# What the filter says when nothing passed its absolute gate.
_GATE_LUFS: Final = -70.0
_INTEGRATED: Final = "lavfi.r128.I"
# Annex 2 wants at least 192 kHz.
_FOURFOLD_BELOW, _TWOFOLD_BELOW = 96_000, 192_000


def outlets(rate: int) -> tuple[Outlet, Outlet]:
    """Return what a meter listens to, in this order, of a master of so many hertz."""
    factor = 4 if rate < _FOURFOLD_BELOW else 2 if rate < _TWOFOLD_BELOW else 1
    return (
        Outlet(rate=rate, sample_format="dbl", measured=True),
        Outlet(rate=rate * factor, sample_format="fltp"),
    )


class Meter:
    """Keeps two numbers, however long the programme is."""

    def __init__(self) -> None:
        self._integrated = _GATE_LUFS
        self._peak = 0.0

    def weigh(self, frame: AudioFrame) -> None:
        """Take a block of the first outlet."""
        self._integrated = float(frame.metadata.get(_INTEGRATED, self._integrated))

    def watch(self, frame: AudioFrame) -> None:
        """Take a block of the second outlet."""
        self._peak = max(self._peak, float(np.abs(frame.to_ndarray()).max()))

    @property
    def loudness(self) -> Loudness:
        """What was heard so far."""
        heard = self._integrated > _GATE_LUFS
        return Loudness(
            integrated_lufs=self._integrated if heard else None,
            true_peak_dbtp=20 * math.log10(self._peak) if self._peak else None,
        )
