"""How channels become stereo: the equations of ITU-R BS.775-3 annex 4, made to fit.

    left  = L + 0.7071 C + 0.7071 Ls        right = R + 0.7071 C + 0.7071 Rs

Of 7.1 the side and the back surrounds both count as Ls and Rs. The LFE is left out, as the standard
allows. All gains are then divided by the larger sum of one side, so that no signal can clip:
5.1 becomes 7.7 dB quieter, 7.1 9.9 dB. One channel stays one, and two stay as they are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHARED = math.sqrt(0.5)
# By FFmpeg's names of the channels: what the left and the right side get of each.
_GAINS: Final = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_SHARED, _SHARED),
    "LFE": (0.0, 0.0),
    "SL": (_SHARED, 0.0),
    "BL": (_SHARED, 0.0),
    "SR": (0.0, _SHARED),
    "BR": (0.0, _SHARED),
}
# What a file that names no channels has in them (RIFF's WAVE_FORMAT_PCM).
_UNNAMED: Final = "NONE"
_PLAIN: Final = (["FL", "FR"], [_UNNAMED, _UNNAMED])
_MONO: Final = (["FC"], [_UNNAMED])


class UnknownLayout(Exception):  # noqa: N818 - reads as what happened
    """No standard says how these channels become stereo."""


class Downmix(NamedTuple):
    """``layout`` is what comes out; ``pan`` is the argument of FFmpeg's filter of that name.

    ``adds`` says whether samples are added up, so that they are no longer those of the master.
    """

    layout: str
    pan: str
    adds: bool


def downmix(channels: Sequence[str]) -> Downmix:
    """Return how channels of these names, in this order, become stereo. Raises UnknownLayout."""
    names = list(channels)
    if names in _MONO:
        return Downmix("mono", "mono|c0=c0", adds=False)
    if names in _PLAIN:
        return Downmix("stereo", "stereo|c0=c0|c1=c1", adds=False)
    left, right = zip(*_fitting(names), strict=True)
    return Downmix("stereo", f"stereo|c0={_sum(left)}|c1={_sum(right)}", adds=True)


def _fitting(names: list[str]) -> list[tuple[float, float]]:
    """Return the two gains of each channel. Raises UnknownLayout."""
    if not {"FL", "FR"} <= set(names) <= set(_GAINS) or len(set(names)) < len(names):
        raise UnknownLayout(", ".join(names))
    gains = [_GAINS[name] for name in names]
    highest = max(map(sum, zip(*gains, strict=True)))
    return [(left / highest, right / highest) for left, right in gains]


def _sum(gains: Sequence[float]) -> str:
    return "+".join(f"{gain:.9f}*c{index}" for index, gain in enumerate(gains) if gain)
