"""Loudness and true peak are those of libebur128, on whatever sounds."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pyebur128
import pytest
from pyebur128 import ChannelType, MeasurementMode

from services.validator.audio import measure as measuring
from services.validator.audio.measure import measure
from services.validator.audio.true_peak import curvature_bound, interpolator
from shared.adm.routes import BedRoute
from shared.adm.source import open_source
from tests.support.media.audio import HEADER_BYTES, Signal, noise, tone, write_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from services.validator.audio.measurement import AudioMeasurement
    from shared.adm.routes import Route

SURROUND = ("RC_L", "RC_R", "RC_C", "RC_LFE", "RC_Ls", "RC_Rs")
TYPES = (
    ChannelType.LEFT,
    ChannelType.RIGHT,
    ChannelType.CENTER,
    ChannelType.UNUSED,
    ChannelType.LEFT_SURROUND,
    ChannelType.RIGHT_SURROUND,
)
# Seconds and level of a loud part, of a whisper, and of what is below the absolute gate.
SCENES = ((3, -20.0), (3, -36.0), (60, -90.0))
MODE = MeasurementMode.MODE_I | MeasurementMode.MODE_TRUE_PEAK | MeasurementMode.MODE_LRA


def measured(
    path: Path, signal: Signal, rate: int, routes: Sequence[Route] | None = None
) -> AudioMeasurement:
    channels = signal.shape[1]
    write_plain(path, signal, rate)
    with open_source(path) as source:
        size = source.size - HEADER_BYTES
        return measure(source, HEADER_BYTES, size, channels, 24, rate, routes)


def reference(
    signal: Signal, rate: int, types: Sequence[ChannelType]
) -> tuple[float, float, float]:
    """Return what libebur128 says: LUFS, LU, dBTP."""
    state = pyebur128.R128State(signal.shape[1], rate, MODE)
    for channel, kind in enumerate(types):
        state.set_channel(channel, kind)
    rounded = np.round(signal.astype(np.float64) * 2**23) / 2**23
    state.add_frames(rounded.astype(np.float32).reshape(-1), len(signal))
    # From 192 kHz on libebur128 does not oversample.
    read = pyebur128.get_true_peak if rate < 192_000 else pyebur128.get_sample_peak
    peak = max(read(state, each) for each in range(signal.shape[1]))
    return (
        pyebur128.get_loudness_global(state),
        pyebur128.get_loudness_range(state),
        20 * math.log10(peak),
    )


def gated(rate: int) -> Signal:
    """Return sound with silence and whispers in it, which the gates leave out."""
    quiet, whisper = (noise(2.3, rate, 2, level) for level in (-90.0, -45.0))
    return np.concatenate([noise(3.1, rate, 2), quiet, noise(2.2, rate, 2, -12.0), whisper])


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        *product(["noise", "tone", "gated", "offset"], [44_100, 48_000]),
        *product(["noise", "tone"], [88_200, 96_000]),
        ("noise", 192_000),
    ],
)
def test_loudness_and_true_peak_are_those_of_libebur128(
    kind: str, rate: int, tmp_path: Path
) -> None:
    signals: dict[str, Callable[[], Signal]] = {
        "noise": lambda: noise(2.067, rate, 3),
        "tone": lambda: tone(3, rate, 997.3),
        "gated": lambda: gated(rate),
        "offset": lambda: noise(3, rate, 2, -40.0) + np.float32(0.3),
    }
    signal = signals[kind]()

    found = measured(tmp_path / "signal.wav", signal, rate)

    integrated, _, peak = reference(signal, rate, [ChannelType.CENTER] * signal.shape[1])
    assert found.integrated_lufs == pytest.approx(integrated, abs=0.01)
    assert found.true_peak_dbtp == pytest.approx(peak, abs=0.02)


def test_a_bed_of_5_1_is_weighed_as_libebur128_does(tmp_path: Path) -> None:
    signal = noise(5, 48_000, 6) * np.array([1, 0.5, 0.7, 2, 1.5, 0.3], np.float32)

    found = measured(tmp_path / "bed.wav", signal, 48_000, [BedRoute(each) for each in SURROUND])

    integrated, _, peak = reference(signal, 48_000, TYPES)
    assert found.integrated_lufs == pytest.approx(integrated, abs=0.01)
    assert found.true_peak_dbtp == pytest.approx(peak, abs=0.02)


def test_the_tone_of_the_standard_has_the_loudness_it_says(tmp_path: Path) -> None:
    """EBU Tech 3341, case 1: a stereo sine of 1 kHz and -23 dBFS is -23 LUFS."""
    signal = np.repeat(tone(20, 48_000, 1000, level_db=-23), 2, axis=1)

    found = measured(tmp_path / "tone.wav", signal, 48_000)

    assert found.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert found.moments[-1].momentary_lufs == pytest.approx(-23.0, abs=0.1)
    assert found.moments[-1].short_term_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(("levels", "expected"), [((-20, -30), 10), ((-20, -15), 5)])
def test_the_loudness_range_is_that_of_the_standard(
    levels: tuple[int, int], expected: int, tmp_path: Path
) -> None:
    """EBU Tech 3342, cases 1 and 2: twenty seconds of each level."""
    parts = [np.repeat(tone(20, 48_000, 1000, level_db=level), 2, axis=1) for level in levels]

    found = measured(tmp_path / "range.wav", np.concatenate(parts), 48_000)

    assert found.loudness_range_lu == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("seed", range(3))
def test_the_loudness_range_is_that_of_libebur128(seed: int, tmp_path: Path) -> None:
    """On sound whose level wanders as that of music does."""
    random = np.random.default_rng(seed)
    levels = np.cumsum(random.standard_normal(47 * 5) * 2).clip(-30, 15)
    gain = np.repeat(10 ** (levels / 20), 9_600).astype(np.float32)
    signal = noise(47, 48_000, 1, -35.0) * gain[:, np.newaxis]

    found = measured(tmp_path / "range.wav", signal, 48_000)

    _, loudness_range, _ = reference(signal, 48_000, [ChannelType.CENTER])
    assert found.loudness_range_lu == pytest.approx(loudness_range, abs=0.02)
    assert loudness_range > 3


@pytest.mark.parametrize("kind", ["sparse", "steady"])
@pytest.mark.parametrize("start", range(0, 40, 3))
def test_a_peak_between_samples_is_found_wherever_it_is(
    start: int, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows are passed over only when they cannot hold the peak, by either bound."""
    monkeypatch.setattr(measuring, "_CACHED_SAMPLES", 1)
    signal = np.zeros((9_700, 2), np.float32)
    signal[4_790 + start : 4_792 + start, 1] = 0.5
    signal[::97, 0] = 0.2
    if kind == "steady":
        signal[:, 0] = 0.2 * np.sin(np.arange(9_700) / 40)
        signal[1_000:1_400, 1] = 0.55 * np.hanning(400)

    found = measured(tmp_path / "burst.wav", signal, 48_000)

    _, _, peak = reference(signal, 48_000, [ChannelType.CENTER] * 2)
    assert found.true_peak_dbtp == pytest.approx(peak, abs=0.001)
    assert (found.true_peak_dbtp or -99) > 20 * math.log10(float(np.abs(signal).max())) + 1


@pytest.mark.parametrize("rate", [48_000, 96_000, 192_000])
def test_a_sample_is_never_above_the_true_peak(rate: int, tmp_path: Path) -> None:
    """Between a lone sample and its neighbours all is lower."""
    signal = np.zeros((rate // 4, 1), np.float32)
    signal[rate // 8] = -0.5

    found = measured(tmp_path / "lone.wav", signal, rate)

    assert found.true_peak_dbtp == pytest.approx(20 * math.log10(0.5))


def test_nothing_past_the_last_sample_counts(tmp_path: Path) -> None:
    signal = np.full((7_003, 1), 0.5, np.float32)
    signal[:1_000, 0] = np.linspace(0, 0.5, 1_000)

    found = measured(tmp_path / "cut.wav", signal, 48_000)

    assert found.true_peak_dbtp == pytest.approx(
        reference(signal, 48_000, [ChannelType.CENTER])[2], abs=0.001
    )


@pytest.mark.parametrize("seconds", [0.3, 0.001])
def test_what_is_too_short_has_no_loudness(seconds: float, tmp_path: Path) -> None:
    found = measured(tmp_path / "short.wav", noise(seconds, 48_000, 2), 48_000)

    assert found.integrated_lufs is None
    assert found.loudness_range_lu is None
    assert found.true_peak_dbtp is not None


def test_hush_does_not_lower_the_relative_gate(tmp_path: Path) -> None:
    """What is below -70 LUFS does not count, so the whisper stays below the relative gate."""
    loud, whisper, hush = (noise(length, 8_000, 1, level) for length, level in SCENES)
    signal = np.concatenate([loud, whisper, hush])

    found = measured(tmp_path / "long.wav", signal, 8_000)
    alone = measured(tmp_path / "loud.wav", loud, 8_000)

    assert found.integrated_lufs == pytest.approx(alone.integrated_lufs, abs=0.5)


def test_loudness_over_time_is_bounded_and_shows_where_it_is_loud(tmp_path: Path) -> None:
    signal = np.concatenate([noise(60, 8_000, 1, -40.0), noise(30, 8_000, 1, -10.0)])

    found = measured(tmp_path / "long.wav", signal, 8_000)

    assert len(found.moments) <= 600
    assert found.moments[-1].seconds == pytest.approx(90, abs=0.5)
    early = [each.momentary_lufs for each in found.moments if each.seconds < 59]
    late = [each.momentary_lufs for each in found.moments if each.seconds > 61]
    assert max(each for each in early if each) < -30 < -20 < min(each for each in late if each)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("hertz", [0.0, 0.001, 0.05, 0.2, 0.25, 0.4, 0.5])
def test_no_interpolation_exceeds_the_bound_of_smooth_curves(factor: int, hertz: float) -> None:
    phases = interpolator(factor)
    level, bend = curvature_bound(phases)
    random = np.random.default_rng(5)
    times = np.arange(phases.shape[1])[:, np.newaxis]
    tones = np.sin(2 * np.pi * (hertz * times + random.random(500)))
    samples = tones + random.choice([0.0, 0.01, 1.0], 500) * random.standard_normal(tones.shape)
    bends = np.abs(np.diff(samples, 2, axis=0)).max(axis=0)
    highest = np.abs(phases @ samples).max(axis=0)
    assert (highest <= level * np.abs(samples).max(axis=0) + bend * bends).all()


@pytest.mark.parametrize("hertz", [300, 7_100, 12_000, 17_300])
def test_steady_tones_peak_between_their_samples(hertz: int, tmp_path: Path) -> None:
    """Nearly every window can hold the peak, so that the second bound decides."""
    times = np.arange(48_000)[:, np.newaxis] / 48_000
    signal = 0.5 * np.sin(2 * np.pi * hertz * times + np.pi / 4 + np.arange(3) / 7)
    sound: Signal = signal.astype(np.float32)

    found = measured(tmp_path / "tone.wav", sound, 48_000)

    _, _, peak = reference(sound, 48_000, [ChannelType.CENTER] * 3)
    assert found.true_peak_dbtp == pytest.approx(peak, abs=0.02)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("at", [4_000, 4_005, 4_793, 4_799, 9_588])
def test_the_sharpest_peak_is_found_behind_one_nearly_as_high(
    at: int,
    dense: bool,  # noqa: FBT001 - given by name
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No samples of this height lie below a higher peak than those that follow the filter."""
    monkeypatch.setattr(measuring, "_CACHED_SAMPLES", 1)
    phase = max(interpolator(4), key=lambda taps: float(np.abs(taps).sum()))
    sharpest = 0.5 * np.sign(phase)
    signal = np.full((9_600, 1), 0.5 if dense else 0.0, np.float32)
    signal[80:112] = signal[at - 20 : at + 32] = 0
    signal[90:102, 0], signal[at : at + 12, 0] = 0.99 * sharpest, sharpest

    found = measured(tmp_path / "sharp.wav", signal, 48_000)

    assert found.true_peak_dbtp == pytest.approx(
        20 * math.log10(0.5 * float(np.abs(phase).sum())), abs=0.001
    )


def test_a_peak_is_found_among_many_windows_that_could_hold_it(tmp_path: Path) -> None:
    phase = max(interpolator(4), key=lambda taps: float(np.abs(taps).sum()))
    times = np.arange(9_600)[:, np.newaxis] / 48_000
    signal = (0.4 * np.sin(2 * np.pi * 7_100 * times + np.arange(16) / 7)).astype(np.float32)
    signal[9_000:9_050, 3] = 0
    signal[9_020:9_032, 3] = 0.5 * np.sign(phase)

    found = measured(tmp_path / "many.wav", signal, 48_000)

    assert found.true_peak_dbtp == pytest.approx(
        20 * math.log10(0.5 * float(np.abs(phase).sum())), abs=0.001
    )


def test_the_peak_at_the_very_last_sample_counts(tmp_path: Path) -> None:
    phase = max(interpolator(4), key=lambda taps: float(np.abs(taps).sum()))
    signal = np.zeros((7_003, 1), np.float32)
    signal[-len(phase) :, 0] = 0.5 * np.sign(phase)

    found = measured(tmp_path / "last.wav", signal, 48_000)

    assert found.true_peak_dbtp == pytest.approx(
        20 * math.log10(0.5 * float(np.abs(phase).sum())), abs=0.001
    )
