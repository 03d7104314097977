"""The 5.1 render: where sound goes, and how objects get there."""

from __future__ import annotations

import math
from array import array

import numpy as np
import pytest

from shared.adm.panner import pan
from shared.adm.render import Renderer
from shared.adm.routes import BedRoute, ObjectRoute, Route
from shared.adm.trajectories import Trajectory
from tests.support.media.audio import Signal, noise

RATE = 48_000
HALF = math.sqrt(0.5)


def path(*blocks: tuple[float, float, float, float], ramp: float = 0.005208) -> Trajectory:
    """Return the path of blocks of a start in seconds, x, y and gain."""
    found = Trajectory("AC_00031001")
    found.start, found.x, found.y, found.gain = (
        array("d", column) for column in zip(*blocks, strict=True)
    )
    found.interpolation = array("d", [0.0, *[ramp] * (len(blocks) - 1)])
    return found


@pytest.mark.parametrize(
    ("x", "y", "gains"),
    [
        (-1, 1, (1, 0, 0, 0, 0, 0)),
        (1, 1, (0, 1, 0, 0, 0, 0)),
        (0, 1, (0, 0, 1, 0, 0, 0)),
        (-1, -1, (0, 0, 0, 0, 1, 0)),
        (0, 0, (0, 0, HALF, 0, 0.5, 0.5)),
        (-1, 0, (HALF, 0, 0, 0, HALF, 0)),
        (-1, -0.36397, (0.479, 0, 0, 0, 0.878, 0)),
        (9, math.nan, (0, HALF, 0, 0, 0, HALF)),
        (-1, 9, (1, 0, 0, 0, 0, 0)),
        (1, -9, (0, 0, 0, 0, 0, 1)),
    ],
)
def test_a_position_is_panned_between_its_neighbours(
    x: float, y: float, gains: tuple[float, ...]
) -> None:
    assert pan(x, y)[0] == pytest.approx(gains, abs=1e-3)


@pytest.mark.parametrize(
    ("label", "gains"),
    [
        ("RC_L", (1, 0, 0, 0, 0, 0)),
        ("RC_R", (0, 1, 0, 0, 0, 0)),
        ("RC_C", (0, 0, 1, 0, 0, 0)),
        *((label, (0, 0, 0, 1, 0, 0)) for label in ("RC_LFE", "LFE", "LFE1")),
        *((label, (0, 0, 0, 0, 1, 0)) for label in ("RC_Ls", "RC_Lss", "RC_Lrs")),
        *((label, (0, 0, 0, 0, 0, 1)) for label in ("RC_Rs", "RC_Rss", "RC_Rrs")),
        ("RC_Lts", (HALF, 0, 0, 0, HALF, 0)),
    ],
)
def test_a_bed_channel_goes_to_its_speaker(label: str, gains: tuple[float, ...]) -> None:
    renderer = Renderer([BedRoute(label, -1, 0)], RATE)

    assert renderer.render(np.ones((1, 1), np.float32), 0)[0] == pytest.approx(gains)


def test_a_track_without_a_route_is_not_heard() -> None:
    assert not Renderer([None], RATE).render(np.ones((9, 1), np.float32), 0).any()


def naive(signal: Signal, paths: list[Trajectory]) -> Signal:
    """Mix sample by sample, as the profile says it."""
    mixed = np.zeros((len(signal), 6))
    for track, each in enumerate(paths):
        gains = pan(each.x, each.y) * np.array(each.gain)[:, np.newaxis]
        for frame, sample in enumerate(signal[:, track]):
            now = gains[0]
            for block in range(1, len(gains)):
                passed = frame + 1 - round(each.start[block] * RATE)
                length = max(round(each.interpolation[block] * RATE), 1)
                now = now + min(max(passed / length, 0), 1) * (gains[block] - gains[block - 1])
            mixed[frame] += now * sample
    return mixed.astype(np.float32)


@pytest.mark.parametrize("block", [480, 997, 5_000])
@pytest.mark.parametrize("ramp", [0.0, 0.005208])
def test_moving_objects_reach_their_positions_over_250_samples(block: int, ramp: float) -> None:
    signal = noise(0.1, RATE, 3)
    paths = [
        path((0.01, 1, -1, 1), (0.0999, -1, 1, 0), ramp=ramp),
        path((0, 0, 0, 1), (0.05, 0, 0, 1), ramp=ramp),
        path((0, -1, 1, 1), (0.0098, 1, 1, 0.5), (0.02, 0, -1, 2), (0.0205, 0, 0, 1), ramp=ramp),
    ]
    renderer = Renderer([ObjectRoute(each) for each in paths], RATE)

    starts = range(0, len(signal), block)
    mixed = np.concatenate([renderer.render(signal[at : at + block], at) for at in starts])

    assert mixed == pytest.approx(naive(signal, paths), abs=1e-5)


def test_many_moves_at_once_are_all_made() -> None:
    places = [(index / 48_000, (-1) ** index, 1.0, 1.0) for index in range(2_000)]
    routes: list[Route] = [ObjectRoute(path(*places, (0.05, 0, 1, 1)))]

    mixed = Renderer(routes, RATE).render(np.ones((4_800, 1), np.float32), 0)

    assert mixed[-1] == pytest.approx((0, 0, 1, 0, 0, 0), abs=1e-3)


def test_many_moves_within_one_piece_are_all_made() -> None:
    places = [(index / RATE, (-1) ** index, 1.0, 1.0) for index in range(300)]
    routes: list[Route] = [ObjectRoute(path(*places, (300 / RATE, 0, 1, 1), ramp=0))]

    mixed = Renderer(routes, RATE).render(np.ones((400, 1), np.float32), 0)

    assert mixed[-1] == pytest.approx((0, 0, 1, 0, 0, 0), abs=1e-3)


@pytest.mark.parametrize("ramp", [-1.0, math.nan, 0.1, 9.0])
def test_a_ramp_takes_a_tenth_of_a_second_at_most(ramp: float) -> None:
    moved = path((0, -1, 1, 1), (0, 1, 1, 1), ramp=ramp)

    mixed = Renderer([ObjectRoute(moved)], RATE).render(np.ones((4_800, 1), np.float32), 0)

    assert mixed[-1] == pytest.approx((0, 1, 0, 0, 0, 0), abs=1e-3)


@pytest.mark.parametrize("ramp", [0.1, 9.0])
def test_a_long_ramp_takes_the_whole_tenth(ramp: float) -> None:
    moved = path((0, -1, 1, 1), (0, 1, 1, 1), ramp=ramp)

    mixed = Renderer([ObjectRoute(moved)], RATE).render(np.ones((4_800, 1), np.float32), 0)

    assert mixed[4_559] == pytest.approx((0.05, 0.95, 0, 0, 0, 0), abs=1e-3)


@pytest.mark.parametrize("start", [-1.0, math.nan])
def test_a_move_starts_with_the_file_at_the_earliest(start: float) -> None:
    moved = path((0, -1, 1, 1), (start, 1, 1, 1), ramp=0.1)

    mixed = Renderer([ObjectRoute(moved)], RATE).render(np.ones((4_800, 1), np.float32), 0)

    assert mixed[0] == pytest.approx((1, 0, 0, 0, 0, 0), abs=1e-3)
    assert mixed[-1] == pytest.approx((0, 1, 0, 0, 0, 0), abs=1e-3)


def test_an_object_without_blocks_is_not_heard() -> None:
    silent = ObjectRoute(Trajectory("AC_00031001"))

    assert not Renderer([silent], RATE).render(np.ones((9, 1), np.float32), 0).any()


@pytest.mark.parametrize("gain", [math.nan, 1e300])
def test_a_gain_that_makes_no_sense_does_no_harm(gain: float) -> None:
    mixed = Renderer([ObjectRoute(path((0, 0, 1, gain)))], RATE).render(
        np.ones((9, 1), np.float32), 0
    )

    assert np.isfinite(mixed).all()


@pytest.mark.parametrize(
    ("gain", "heard"), [(-2.0, -2.0), (16.0, 16.0), (99.0, 16.0), (-99.0, -16.0), (math.inf, 16.0)]
)
def test_a_gain_is_24_decibels_at_most(gain: float, heard: float) -> None:
    mixed = Renderer([ObjectRoute(path((0, -1, 1, gain)))], RATE).render(
        np.ones((1, 1), np.float32), 0
    )

    assert mixed[0] == pytest.approx((heard, 0, 0, 0, 0, 0))


def test_numbers_that_make_no_sense_do_no_harm() -> None:
    wild = path((0, math.inf, 0, 1), (math.nan, math.nan, -math.inf, 1e300), (1e300, 0, 0, 0))

    mixed = Renderer([ObjectRoute(wild)], RATE).render(np.ones((999, 1), np.float32), 0)

    assert np.isfinite(mixed).all()
