"""How many channels become two."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.publisher.downmix import UnknownLayout, downmix
from tests.support.media.audio import tone
from tests.support.renditions import heard, publish, wave

if TYPE_CHECKING:
    from pathlib import Path

HERTZ = 1000.0
HALF = math.sqrt(0.5)
# By layout: the channels in the order of the file, and what the left and right side get of each.
BED = [(1, 0), (0, 1), (HALF, HALF), (0, 0), (HALF, 0), (0, HALF)]
GAINS = {
    "quad": [*BED[:2], *BED[4:]],
    "5.1": BED,
    "5.1(side)": BED,
    "7.1": [*BED, (HALF, 0), (0, HALF)],
}
CASES = [(layout, channel) for layout, gains in GAINS.items() for channel in range(len(gains))]


@pytest.mark.parametrize(("layout", "channel"), CASES)
def test_each_channel_is_heard_as_bs_775_says(tmp_path: Path, layout: str, channel: int) -> None:
    gains = np.array(GAINS[layout])
    signal = np.zeros((24_000, len(gains)), np.float32)
    signal[:, [channel]] = tone(0.5, 48_000, HERTZ, level_db=-6.0)
    path = tmp_path / "master.wav"
    path.write_bytes(wave(signal, 48_000, layout=layout))

    done, files = publish(path, "wav")

    assert done.mixed
    found = heard(files["wav"])
    for side in (0, 1):
        expected = gains[channel, side] / gains.sum(axis=0).max()
        level = found.level_db(side, HERTZ)
        if expected:
            assert level == pytest.approx(-6.0 + 20 * math.log10(expected), abs=0.01)
        else:
            assert level < -130


def test_channels_at_full_scale_do_not_clip(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    path.write_bytes(
        wave(np.repeat(tone(0.5, 48_000, HERTZ, level_db=-0.01), 8, axis=1), 48_000, layout="7.1")
    )

    done, files = publish(path, "wav")

    peak = float(np.abs(heard(files["wav"]).samples).max())
    assert 20 * math.log10(peak) == pytest.approx(-0.01, abs=0.02)
    assert done.loudness.true_peak_dbtp == pytest.approx(-0.01, abs=0.05)


@pytest.mark.parametrize("channels", [["FC"], ["NONE"], ["FL", "FR"], ["NONE", "NONE"]])
def test_one_channel_or_two_are_left_alone(channels: list[str]) -> None:
    found = downmix(channels)
    assert not found.adds
    assert found.layout == ("mono" if len(channels) == 1 else "stereo")


@pytest.mark.parametrize(
    "channels",
    [
        ["NONE"] * 6,
        ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR", "TFL", "TFR"],
        ["FL", "FR", "BC"],
        ["FL", "FC"],
        ["DL", "DR"],
        ["FL", "FR", "FL"],
        [],
    ],
)
def test_what_no_rule_knows_is_refused(channels: list[str]) -> None:
    with pytest.raises(UnknownLayout):
        downmix(channels)
