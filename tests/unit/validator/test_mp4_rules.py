"""The rules of the MP4 container, each bound from both of its sides."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import pytest

from services.validator.formats.mp4 import Box, Mp4, Track
from services.validator.rules.mp4 import Mp4File
from services.validator.rules.registry import judge

if TYPE_CHECKING:
    from services.validator.profile import Profile

SIZE = 1000
RATE = 48_000


def _track(places: tuple[tuple[int, int], ...] = ((100, 50),)) -> Track:
    """Return a sound track whose frames take a second each."""
    return Track(
        number=1,
        handler="soun",
        codec="ec-3",
        timescale=RATE,
        timed_samples=len(places),
        timed=RATE * len(places),
        offsets=array("Q", [offset for offset, _ in places]),
        sizes=array("L", [size for _, size in places]),
    )


def _codes(track: Track, profile: Profile, *, fragmented: bool = False) -> list[str]:
    walked = Mp4([track], has_moov=True, fragmented=fragmented)
    return [each.code for each in judge(Mp4File(walked, SIZE), profile)]


@pytest.mark.parametrize(
    ("places", "codes"),
    [
        (((950, 50),), []),
        (((950, 51),), ["file_truncated"]),
        (((951, 50), (0, 10)), ["file_truncated"]),
        (((100, 50), (150, 50)), []),
        (((150, 50), (100, 50)), []),
        (((100, 51), (150, 50)), ["mp4_samples_overlap"]),
        (((150, 50), (100, 51)), ["mp4_samples_overlap"]),
        ((), ["sound_track_missing"]),
    ],
)
def test_each_sample_has_bytes_of_its_own_in_the_file(
    places: tuple[tuple[int, int], ...], codes: list[str], atmos: Profile
) -> None:
    assert _codes(_track(places), atmos) == codes


@pytest.mark.parametrize(("counted", "codes"), [(0, []), (1, ["!"]), (-1, ["!"])])
def test_the_time_table_counts_every_sample_once(
    counted: int, codes: list[str], atmos: Profile
) -> None:
    track = _track()
    track.timed_samples += counted
    assert _codes(track, atmos) == ["sample_count_differs" for _ in codes]


@pytest.mark.parametrize(
    ("edits", "cuts"),
    [
        ((), False),
        (((1.0, 0),), False),
        (((0.9, 0),), False),
        (((0.899, 0),), True),
        (((1.0999, 0),), False),
        (((1.101, 0),), True),
        (((0.1, -1), (1.0, 0)), False),
        (((0.101, -1), (1.0, 0)), True),
        (((0.5, 0), (0.5, 24_000)), False),
        (((0.0, 0),), True),
    ],
)
def test_an_edit_list_plays_the_track_to_a_tenth_of_a_second(
    edits: tuple[tuple[float, int], ...], *, cuts: bool, atmos: Profile
) -> None:
    track = _track()
    track.edits = edits
    assert _codes(track, atmos) == (["edit_list_cuts"] if cuts else [])


def test_an_edit_of_a_fragmented_movie_may_be_open(atmos: Profile) -> None:
    track = _track()
    track.edits = ((0.0, 256),)
    assert _codes(track, atmos, fragmented=True) == []
    track.edits = ((0.5, 256),)
    assert _codes(track, atmos, fragmented=True) == ["edit_list_cuts"]


@pytest.mark.parametrize(("timescale", "timed"), [(0, RATE), (RATE, 0)])
def test_what_has_no_time_has_no_edits(timescale: int, timed: int, atmos: Profile) -> None:
    track = _track()
    track.edits, track.timescale, track.timed = ((9.0, 0),), timescale, timed
    assert _codes(track, atmos) == []


def test_a_file_that_is_cut_is_told_once(atmos: Profile) -> None:
    walked = Mp4([], has_moov=False, overrun=Box("mdat", 8, SIZE + 1))
    problems = judge(Mp4File(walked, SIZE), atmos)
    assert [each.code for each in problems] == ["file_truncated"]
    assert problems[0].allowed == f"{SIZE + 1} bytes"
