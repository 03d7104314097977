"""From a position in the room to the six channels of a 5.1 bed.

The allocentric panner of ITU-R BS.2127 §7.3.10 for two rows of speakers: front with L, C and R,
back with Ls and Rs. Heights are folded down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from shared.adm.arrays import Doubles

LEFT, RIGHT, CENTRE, LFE, LEFT_SURROUND, RIGHT_SURROUND = range(6)
SPEAKERS = 6
# ITU-R BS.1770-4 table 3, and the LFE counts for nothing.
WEIGHTS = (1.0, 1.0, 1.0, 0.0, 1.41, 1.41)
LFE_LABELS = frozenset({"RC_LFE", "LFE", "LFE1"})
_BED = {
    "L": LEFT,
    "R": RIGHT,
    "C": CENTRE,
    "Ls": LEFT_SURROUND,
    "Rs": RIGHT_SURROUND,
    "Lss": LEFT_SURROUND,
    "Rss": RIGHT_SURROUND,
    "Lrs": LEFT_SURROUND,
    "Rrs": RIGHT_SURROUND,
}


def pan(x: npt.ArrayLike, y: npt.ArrayLike) -> Doubles:
    """Return the gains for positions of -1 (left, back) to 1 (right, front), positions x 6."""
    across = np.clip(np.nan_to_num(np.atleast_1d(np.asarray(x, np.float64))), -1, 1)
    depth = np.clip(np.nan_to_num(np.atleast_1d(np.asarray(y, np.float64))), -1, 1)
    quarter = np.pi / 2
    front, back = np.cos((1 - depth) / 2 * quarter), np.sin((1 - depth) / 2 * quarter)
    gains = np.zeros((len(across), SPEAKERS))
    gains[:, LEFT] = front * np.cos(np.clip(across + 1, 0, 1) * quarter)
    gains[:, CENTRE] = front * np.cos(across * quarter)
    gains[:, RIGHT] = front * np.sin(np.clip(across, 0, 1) * quarter)
    gains[:, LEFT_SURROUND] = back * np.cos((across + 1) / 2 * quarter)
    gains[:, RIGHT_SURROUND] = back * np.sin((across + 1) / 2 * quarter)
    return gains


def bed_gains(label: str, x: float, y: float) -> Doubles:
    """Return the six gains of a bed channel by its speaker label, else by its position."""
    gains = np.zeros(SPEAKERS)
    if label in LFE_LABELS:
        gains[LFE] = 1.0
        return gains
    speaker = _BED.get(label.removeprefix("RC_"))
    if speaker is None:
        return pan(x, y).reshape(SPEAKERS)
    gains[speaker] = 1.0
    return gains
