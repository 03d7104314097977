"""What is said of each track, whatever the blocks it is read in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.validator.audio import measure as measuring
from services.validator.audio.measure import measure
from services.validator.audio.measurement import DIRECT, RENDERED
from shared.adm.pcm import Pcm
from shared.adm.routes import BedRoute
from shared.adm.source import FormatError, open_source
from tests.support.media.audio import HEADER_BYTES, Signal, noise, tone, write_plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from services.validator.audio.measurement import AudioMeasurement
    from shared.adm.routes import Route

RATE = 48_000


def measured(
    path: Path, signal: Signal, *, depth: int = 24, routes: Sequence[Route] | None = None
) -> AudioMeasurement:
    write_plain(path, signal, RATE, depth)
    with open_source(path) as source:
        size, channels = source.size - HEADER_BYTES, signal.shape[1]
        return measure(source, HEADER_BYTES, size, channels, depth, RATE, routes)


@pytest.mark.parametrize("depth", [16, 24, 32])
def test_every_depth_is_read_to_the_last_bit(depth: int, tmp_path: Path) -> None:
    signal = np.zeros((5_000, 3), np.float32)
    signal[4_321, 1] = 2.0 ** (1 - depth)
    signal[17, 2] = -1.0

    found = measured(tmp_path / "depth.wav", signal, depth=depth)

    assert found.tracks[0].peak_dbfs is None
    assert found.tracks[0].silent
    assert found.tracks[1].peak_dbfs == pytest.approx(20 * math.log10(2.0 ** (1 - depth)))
    assert (found.tracks[1].first_sound, found.tracks[1].last_sound) == (4_321, 4_321)
    assert found.tracks[2].peak_dbfs == 0.0


@pytest.mark.parametrize(("first", "last"), [(0, 9_999), (15, 16), (4_799, 4_800), (9_600, 9_998)])
def test_the_first_and_last_sample_that_sound_are_found(
    first: int, last: int, tmp_path: Path
) -> None:
    signal = np.zeros((10_000, 2), np.float32)
    signal[[first, last], 1] = 0.01

    track = measured(tmp_path / "sound.wav", signal).tracks[1]

    assert (track.first_sound, track.last_sound) == (first, last)


def test_a_last_sample_that_ends_a_block_is_found(tmp_path: Path) -> None:
    signal = np.zeros((9_600, 2), np.float32)
    signal[-1, 1] = 0.01

    assert measured(tmp_path / "end.wav", signal).tracks[1].last_sound == 9_599


def test_a_run_at_full_scale_ends_where_a_whole_block_is_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_CACHED_SAMPLES", 4_800)
    signal = np.full((14_400, 1), 0.1, np.float32)
    signal[[4_798, 4_799, 9_600]] = 1.0

    assert measured(tmp_path / "apart.wav", signal).tracks[0].clipped_runs == 0


@pytest.mark.parametrize("start", [0, 100, 4_797, 4_798, 4_799, 4_800, 32_766])
@pytest.mark.parametrize("length", [2, 3, 4, 7])
def test_runs_at_full_scale_are_counted_across_blocks(
    start: int, length: int, tmp_path: Path
) -> None:
    signal = np.full((40_000, 8), 0.1, np.float32)
    signal[start : start + length, 3] = 1.0
    signal[20_000:20_005, 3] = -1.0

    track = measured(tmp_path / "clipped.wav", signal).tracks[3]

    assert track.clipped_runs == (2 if length >= 3 else 1)
    assert track.first_clip == (min(start, 20_000) if length >= 3 else 20_000)


@pytest.mark.parametrize("depth", [16, 24])
@pytest.mark.parametrize(("steps", "runs"), [(0, 1), (1, 0)])
def test_full_scale_is_the_highest_sample(
    steps: int, runs: int, depth: int, tmp_path: Path
) -> None:
    """One step lower may still be a peak that just fits, above or below zero."""
    step = 2.0 ** (1 - depth)
    signal = np.full((9_000, 2), 0.1, np.float32)
    signal[5_000:5_005] = 1 - (1 + steps) * step, -1 + (1 + steps) * step

    tracks = measured(tmp_path / "full.wav", signal, depth=depth).tracks

    assert [each.clipped_runs for each in tracks] == [runs, runs]


def test_a_whole_clipped_file_is_one_run(tmp_path: Path) -> None:
    track = measured(tmp_path / "flat.wav", np.ones((99_000, 4), np.float32)).tracks[0]

    assert (track.clipped_runs, track.first_clip, track.last_sound) == (1, 0, 98_999)


def test_copies_are_found_unless_silent_or_different_in_one_bit(tmp_path: Path) -> None:
    signal = np.repeat(noise(1, RATE, 1), 6, axis=1)
    signal[:, 2:4] = 0
    signal[-1, 4] += np.float32(2.0**-23)

    found = measured(tmp_path / "copies.wav", signal)

    assert found.identical == ((1, 2), (1, 6))


@pytest.mark.parametrize(("hertz", "low", "high"), [(50, 0, 0.01), (1_000, 0.99, 1.0)])
def test_the_share_of_the_lfe_above_200_hertz(
    hertz: float, low: float, high: float, tmp_path: Path
) -> None:
    signal = np.hstack([noise(1, RATE, 1), tone(1, RATE, hertz)])

    found = measured(tmp_path / "lfe.wav", signal, routes=[BedRoute("RC_L"), BedRoute("RC_LFE")])

    assert found.tracks[0].lfe_share_above_200hz is None
    assert low <= (found.tracks[1].lfe_share_above_200hz or 0) <= high


@pytest.mark.parametrize("routed", [True, False])
def test_the_length_of_the_blocks_changes_nothing(
    routed: bool,  # noqa: FBT001 - given by name
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal = noise(2.345, RATE, 5)
    routes = [BedRoute("RC_L"), BedRoute("RC_LFE"), None, BedRoute("RC_Lts", -1, 0), None]
    chosen = routes if routed else None
    usual = measured(tmp_path / "usual.wav", signal, routes=chosen)

    monkeypatch.setattr(measuring, "_CACHED_SAMPLES", 1_000)
    small = measured(tmp_path / "small.wav", signal, routes=chosen)

    assert small.tracks[0] == usual.tracks[0]
    assert small.integrated_lufs == pytest.approx(usual.integrated_lufs, abs=1e-4)
    assert small.true_peak_dbtp == pytest.approx(usual.true_peak_dbtp, abs=1e-4)


def test_only_a_render_is_an_estimate(tmp_path: Path) -> None:
    signal = noise(0.1, RATE, 1)

    direct = measured(tmp_path / "direct.wav", signal)
    rendered = measured(tmp_path / "rendered.wav", signal, routes=[BedRoute("RC_L")])

    assert (direct.method, rendered.method) == (DIRECT, RENDERED)
    assert (direct.loudness_margin_lu, direct.true_peak_margin_db) == (0.0, 0.0)
    assert (rendered.loudness_margin_lu, rendered.true_peak_margin_db) == (1.0, 1.0)


def test_a_size_that_lies_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "lie.wav"
    write_plain(path, noise(0.5, RATE, 2), RATE)

    with open_source(path) as source:
        found = measure(source, HEADER_BYTES, 1 << 40, 2, 24, RATE, None)

    assert found.frames == 24_000


@pytest.mark.parametrize(("offset", "size", "frames"), [(44, 6_000, 1_000), (1 << 40, 6_000, 0)])
def test_only_what_the_data_chunk_holds_is_measured(
    offset: int, size: int, frames: int, tmp_path: Path
) -> None:
    path = tmp_path / "part.wav"
    write_plain(path, noise(0.5, RATE, 2), RATE)

    with open_source(path) as source:
        assert Pcm(source, offset, size, 2, 24, RATE).frames == frames


def test_nothing_can_lie_where_the_file_starts(tmp_path: Path) -> None:
    path = tmp_path / "bare.pcm"
    path.write_bytes(bytes(600))

    with open_source(path) as source, pytest.raises(FormatError):
        Pcm(source, 0, 600, 2, 24, RATE)


@pytest.mark.parametrize(
    ("channels", "depth", "rate"),
    [(0, 24, RATE), (129, 24, RATE), (2, 8, RATE), (2, 20, RATE), (2, 24, 192_001), (2, 24, 7_999)],
)
def test_what_cannot_be_measured_is_refused(
    channels: int, depth: int, rate: int, tmp_path: Path
) -> None:
    path = tmp_path / "odd.wav"
    path.write_bytes(bytes(10_000))

    with open_source(path) as source, pytest.raises(FormatError):
        measure(source, HEADER_BYTES, 9_000, channels, depth, rate, None)


def test_each_track_needs_a_route(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 routes for 2 tracks"):
        measured(tmp_path / "few.wav", noise(0.1, RATE, 2), routes=[None])


def test_progress_is_told_up_to_the_last_frame(tmp_path: Path) -> None:
    path, heard = tmp_path / "long.wav", list[int]()
    write_plain(path, noise(2.01, RATE, 2), RATE)

    with open_source(path) as source:
        size = source.size - HEADER_BYTES
        measure(source, HEADER_BYTES, size, 2, 24, RATE, None, heard.append)

    assert heard == sorted(heard)
    assert heard[-1] == round(2.01 * RATE)
    assert len(heard) >= 2
