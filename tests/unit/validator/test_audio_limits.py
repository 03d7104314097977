"""Each limit of the sound at its edge: what lies on it is allowed, what lies past it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from services.validator.audio.limits import Delivery
from services.validator.audio.measurement import AudioMeasurement, Track
from services.validator.rules.audio import Audio
from services.validator.rules.registry import judge

if TYPE_CHECKING:
    from services.validator.profile import Profile

RATE, FRAMES = 48_000, 480_000
# Steps that a binary fraction holds exactly; head and tail, loudness and peak differ.
ASKED = Delivery(
    max_integrated_lufs=-18.0,
    min_integrated_lufs=-31.0,
    loudness_margin_lu=1.0,
    max_true_peak_dbtp=-1.0,
    true_peak_margin_db=2.0,
    max_lfe_share_above_200hz=0.25,
    max_head_silence_seconds=0.25,
    max_tail_silence_seconds=0.5,
    max_stereo_difference_seconds=0.125,
)
SOUNDS = Track(1, -6.0, 0, FRAMES - 1)
SILENT = Track(2, None, None, None)
GOOD = AudioMeasurement("estimate", FRAMES, RATE, -20.0, 5.0, -3.0, (SOUNDS,))


def codes(asked: Delivery, profile: Profile, stereo: float | None = None, **changes: object) -> str:
    """Return what is told of a measurement that is good but for the changes."""
    heard = msgspec.structs.replace(GOOD, **changes)
    return " ".join(each.code for each in judge(Audio(heard, asked, stereo), profile))


@pytest.mark.parametrize(
    ("lufs", "told"),
    [
        (None, ""),
        (-18.0, ""),
        (-17.75, "loudness_too_high"),
        (-17.0, "loudness_too_high"),
        (-16.75, "loudness_over_margin"),
        (-31.0, ""),
        (-32.0, ""),
        (-32.25, "loudness_too_low"),
    ],
)
def test_loudness(lufs: float | None, told: str, atmos: Profile) -> None:
    assert codes(ASKED, atmos, integrated_lufs=lufs) == told


@pytest.mark.parametrize(
    ("dbtp", "told"),
    [
        (None, ""),
        (-1.0, ""),
        (-0.75, "true_peak_too_high"),
        (1.0, "true_peak_too_high"),
        (1.25, "true_peak_over_margin"),
    ],
)
def test_true_peak(dbtp: float | None, told: str, atmos: Profile) -> None:
    assert codes(ASKED, atmos, true_peak_dbtp=dbtp) == told


@pytest.mark.parametrize("lufs", [None, -90.0, 9.0])
def test_nothing_is_asked_where_there_is_no_limit(lufs: float | None, atmos: Profile) -> None:
    free = Delivery(max_integrated_lufs=None, min_integrated_lufs=None, max_true_peak_dbtp=None)
    assert not codes(free, atmos, integrated_lufs=lufs, true_peak_dbtp=9.0)


@pytest.mark.parametrize(
    ("share", "told"), [(None, ""), (0.25, ""), (0.26, "lfe_content"), (1.0, "lfe_content")]
)
def test_lfe_content(share: float | None, told: str, atmos: Profile) -> None:
    track = msgspec.structs.replace(SOUNDS, lfe_share_above_200hz=share)
    assert codes(ASKED, atmos, tracks=(track,)) == told


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (12_000, FRAMES - 1, ""),
        (12_001, FRAMES - 1, "head_silence"),
        (0, FRAMES - 24_001, ""),
        (0, FRAMES - 24_002, "tail_silence"),
    ],
)
def test_silence_is_that_of_all_tracks(first: int, last: int, told: str, atmos: Profile) -> None:
    track = msgspec.structs.replace(SOUNDS, first_sound=first, last_sound=last)
    inner = msgspec.structs.replace(SOUNDS, first_sound=200_000, last_sound=200_001)
    assert codes(ASKED, atmos, tracks=(inner, track)) == told


def test_silent_tracks_are_told_unless_all_are(atmos: Profile) -> None:
    late = msgspec.structs.replace(SOUNDS, first_sound=99_000)
    assert codes(ASKED, atmos, tracks=(late, SILENT)) == "track_silent head_silence"
    assert codes(ASKED, atmos, tracks=(SILENT, SILENT)) == "all_silent"


@pytest.mark.parametrize(
    ("stereo", "told"),
    [
        (None, ""),
        (9.875, ""),
        (10.125, ""),
        (9.75, "stereo_duration_differs"),
        (10.25, "stereo_duration_differs"),
    ],
)
def test_stereo_version(stereo: float | None, told: str, atmos: Profile) -> None:
    assert codes(ASKED, atmos, stereo) == told


def changed(**changes: object) -> dict[str, object]:
    """Return the change that gives the one sounding track these changes."""
    return {"tracks": (msgspec.structs.replace(SOUNDS, number=7, **changes),)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"integrated_lufs": -17.5}, ("5.1 downmix", "-17.5 LUFS", "at most -18.0 LUFS")),
        ({"integrated_lufs": -9.5}, ("5.1 downmix", "-9.5 LUFS", "at most -18.0 LUFS")),
        ({"integrated_lufs": -44.5}, ("5.1 downmix", "-44.5 LUFS", "at least -31.0 LUFS")),
        ({"true_peak_dbtp": -0.5}, ("5.1 downmix", "-0.5 dBTP", "at most -1.0 dBTP")),
        ({"true_peak_dbtp": 3.5}, ("5.1 downmix", "3.5 dBTP", "at most -1.0 dBTP")),
        ({"tracks": (SILENT, SOUNDS)}, ("track 2", "digital silence", "sound")),
        ({"identical": ((3, 8),)}, ("track 8", "the samples of track 3", "samples of its own")),
        (changed(lfe_share_above_200hz=0.75), ("track 7", "75% of its energy", "at most 25%")),
        (
            changed(clipped_runs=1, first_clip=55),
            ("track 7, frame 55", "1 runs of samples at full scale", "none"),
        ),
        (changed(first_sound=48_000), ("frame 0", "48000 frames (1.000 s)", "at most 0.250 s")),
        (
            changed(last_sound=FRAMES - 48_001),
            (f"frame {FRAMES - 48_000}", "48000 frames (1.000 s)", "at most 0.500 s"),
        ),
        ({"frames": 384_000, "tracks": ()}, ("all tracks", "384000 frames of zeros", "sound")),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_where_it_is_and_what_was_measured_is_told(
    changes: dict[str, object], told: tuple[str, str, str], atmos: Profile
) -> None:
    [problem] = judge(Audio(msgspec.structs.replace(GOOD, **changes), ASKED, None), atmos)
    assert (problem.location, problem.measured) == told[:2]
    assert problem.allowed.startswith(told[2])


def test_both_durations_are_told(atmos: Profile) -> None:
    [problem] = judge(Audio(GOOD, ASKED, 12.0), atmos)
    assert problem.location == f"frame {FRAMES}"
    assert (problem.measured, problem.allowed) == ("10.000 s", "12.000 s, to 0.125 s")
