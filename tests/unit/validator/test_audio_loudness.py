"""What counts for the loudness: the weights of the channels, and the gates."""

from __future__ import annotations

import numpy as np
import pytest

from services.validator.audio.loudness import LoudnessMeter
from shared.adm.panner import WEIGHTS
from tests.support.media.audio import tone

RATE = 48_000
# A sine of 997 Hz is so many LUFS below its peak.
BELOW_PEAK = 3.01


def metered(*parts: tuple[float, float]) -> LoudnessMeter:
    """Return a meter that heard parts of so many seconds and LUFS."""
    meter = LoudnessMeter(RATE, (1.0,))
    sounds = [tone(seconds, RATE, 997, level_db=lufs + BELOW_PEAK) for seconds, lufs in parts]
    meter.add(np.concatenate(sounds))
    return meter


@pytest.mark.parametrize(
    ("channel", "lufs"),
    [(0, -20.0), (1, -20.0), (2, -20.0), (3, None), (4, -18.51), (5, -18.51)],
    ids=["L", "R", "C", "LFE", "Ls", "Rs"],
)
def test_each_channel_has_its_weight(channel: int, lufs: float | None) -> None:
    """ITU-R BS.1770-4 table 3: surrounds count 1.5 dB more, the LFE does not count."""
    sound = np.zeros((RATE, 6), np.float32)
    sound[:, channel : channel + 1] = tone(1, RATE, 997, level_db=-20 + BELOW_PEAK)
    meter = LoudnessMeter(RATE, WEIGHTS)
    meter.add(sound)
    assert meter.integrated == (None if lufs is None else pytest.approx(lufs, abs=0.02))


@pytest.mark.parametrize(("lufs", "counts"), [(-69.9, True), (-70.1, False)])
def test_what_is_below_minus_70_has_neither_loudness_nor_range(lufs: float, counts: bool) -> None:  # noqa: FBT001 - given by name
    meter = metered((4, lufs))
    assert meter.integrated == (pytest.approx(lufs, abs=0.05) if counts else None)
    assert meter.range == (pytest.approx(0, abs=0.01) if counts else None)
    assert meter.moments()[-1].momentary_lufs == pytest.approx(lufs, abs=0.05)


@pytest.mark.parametrize(("below", "lufs"), [(12.2, -22.75), (13.2, -20.1)])
def test_what_is_10_below_the_mean_does_not_count(below: float, lufs: float) -> None:
    assert metered((8, -20), (8, -20 - below)).integrated == pytest.approx(lufs, abs=0.1)


@pytest.mark.parametrize(("below", "loudness_range"), [(22.2, 22.2), (23.5, 1.76)])
def test_what_is_20_below_the_mean_is_out_of_range(below: float, loudness_range: float) -> None:
    """Of the 3 s that are partly loud, the second lowest is two thirds loud."""
    meter = metered((12, -20), (12, -20 - below))
    assert meter.range == pytest.approx(loudness_range, abs=0.1)


def test_the_range_leaves_out_the_lowest_tenth_and_the_highest_twentieth() -> None:
    meter = metered(*((1.0, -40.0 + step / 5) for step in range(100)))
    # Of 98 spans of 3 s, the one at place 10 and the one at place 92, each 0.2 LU apart.
    assert meter.range == pytest.approx(82 * 0.2, abs=0.05)


def test_silence_has_no_level_at_any_time() -> None:
    meter = LoudnessMeter(RATE, (1.0,))
    meter.add(np.zeros((RATE, 1), np.float32))
    assert meter.integrated is meter.range is None
    assert {each.momentary_lufs for each in meter.moments()} == {None}
    assert LoudnessMeter(RATE, (1.0,)).moments() == ()


@pytest.mark.parametrize(("hops", "moments"), [(599, 599), (600, 600), (601, 300), (1_201, 400)])
def test_at_most_600_moments_are_told(hops: int, moments: int) -> None:
    meter = LoudnessMeter(8_000, (1.0,))
    meter.add(np.full((hops * 800, 1), 0.1, np.float32))
    times = [each.seconds for each in meter.moments()]
    step = -(-hops // 600) / 10
    assert times == pytest.approx([step * number for number in range(1, moments + 1)])


def test_a_moment_is_the_loudest_of_its_step_and_the_short_term_at_its_end() -> None:
    """Steps of 0.3 s, a burst of 0.4 s that ends within the last but one."""
    meter = metered((175.1, -60), (0.4, -20), (0.3, -60))
    *_, before, burst, after = meter.moments()
    assert [each.seconds for each in (before, burst, after)] == [175.2, 175.5, 175.8]
    assert before.momentary_lufs == pytest.approx(-26.0, abs=0.2)
    assert burst.momentary_lufs == pytest.approx(-20.0, abs=0.2)
    assert after.momentary_lufs == pytest.approx(-21.2, abs=0.2)
    short = [each.short_term_lufs for each in (before, burst, after)]
    assert short == pytest.approx([-34.8, -28.7, -28.7], abs=0.2)
