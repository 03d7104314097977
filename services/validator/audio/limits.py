"""What a delivery asks of the sound, as data that a profile fills."""

from __future__ import annotations

from typing import Annotated

import msgspec

Margin = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of the sound: LUFS, dBTP, seconds; None where nothing is asked.

    The margins are what our own 5.1 render may be off by: a value above a limit and within its
    margin is one finding, a value beyond the margin is another.
    """

    max_integrated_lufs: float | None = -18.0
    min_integrated_lufs: float | None = -31.0
    loudness_margin_lu: Margin = 1.0
    max_true_peak_dbtp: float | None = -1.0
    true_peak_margin_db: Margin = 1.0
    max_lfe_share_above_200hz: Share = 0.1
    max_head_silence_seconds: Seconds = 1 / 24
    max_tail_silence_seconds: Seconds = 1 / 24
    max_stereo_difference_seconds: Seconds = 1 / 24
