"""AC-4: the frames decide what a file is, and each way to break one is found alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from services.validator.families.ac4 import AC4_IMMERSIVE_STEREO
from services.validator.formats import ac4, mp4
from services.validator.formats.ac4_bits import MAX_COUNT, bounded, variable_bits
from services.validator.formats.ac4_dac4 import Presentation, parse_dac4
from services.validator.formats.ac4_groups import Substream
from services.validator.formats.ac4_presentation import Coding as Found
from services.validator.formats.ac4_presentation import coding_of, says_atmos
from services.validator.formats.ac4_toc import parse_toc
from services.validator.formats.bits import BitReader
from services.validator.inspection import inspect
from shared.adm.source import FormatError, open_source
from tests.support.media.ac4 import (
    Coding,
    Frame,
    mp4_file,
    raw_file,
    raw_frame,
    raw_frames,
    synced,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.validator.profile import Profile

SAMPLE = Path(__file__).parents[4] / "shared/samples/androidx_sample_ac4_level4.mp4"
SAMPLES = [SAMPLE] if SAMPLE.is_file() else []


@pytest.mark.parametrize(
    ("coding", "name"),
    [(Coding.A_JOC, "A-JOC"), (Coding.OBJECTS, "objects"), (Coding.HEIGHTS, "immersive")],
)
@pytest.mark.parametrize("make", [lambda f: raw_file(raw_frames(f)), mp4_file], ids=["raw", "MP4"])
def test_atmos_is_accepted(
    make: Callable[[Frame], bytes], coding: Coding, name: str, tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master"
    path.write_bytes(make(Frame(coding=coding)))

    report = inspect(path, atmos, opinions=False)

    assert (report.problems, report.accepted) == ((), True)
    assert (report.format.codec, report.format.sample_rate_hertz) == (f"AC-4 {name}", 48_000)
    assert report.format.duration_seconds == pytest.approx(12 * 2048 / 48_000)


def test_immersive_stereo_is_taken_by_a_profile_that_asks_for_it(
    tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master"
    path.write_bytes(mp4_file(Frame(coding=Coding.FROM_ATMOS)))
    wanted = msgspec.structs.replace(atmos, formats=frozenset({AC4_IMMERSIVE_STEREO}))

    assert inspect(path, wanted, opinions=False).accepted
    assert "immersive stereo" in inspect(path, atmos, opinions=False).problems[0].detail


@pytest.mark.parametrize("indicator", [True, False])
def test_a_presentation_with_a_name_may_indicate_atmos(
    *, indicator: bool, tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master"
    path.write_bytes(raw_file(raw_frames(Frame(alternative=True, indicator=indicator))))

    codes = [problem.code for problem in inspect(path, atmos, opinions=False).problems]

    assert codes == ([] if indicator else ["ac4_atmos_not_indicated"])


@pytest.mark.parametrize("counters", [(1019, 1020, 1, 2), (7, 0, 1), (7, 0, 0)])
def test_a_counter_that_starts_again_is_no_gap(
    counters: tuple[int, ...], tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master"
    path.write_bytes(b"".join(synced(raw_frame(Frame(counter=each))) for each in counters))

    assert inspect(path, atmos, opinions=False).problems == ()


@pytest.mark.parametrize("crc", [True, False])
@pytest.mark.parametrize("long_size", [True, False])
def test_a_frame_is_unwrapped(*, crc: bool, long_size: bool) -> None:
    raw = raw_frame(Frame()) + b"\1"
    wrapped = synced(raw, crc=crc, long_size=long_size)

    assert ac4.frame_size(wrapped[: ac4.HEADER_BYTES]) == len(wrapped)
    assert ac4.raw_frame(wrapped) == raw
    assert ac4.crc_ok(wrapped)
    assert ac4.crc_ok(wrapped[:-3] + b"\2" + wrapped[-2:]) is not crc


@pytest.mark.parametrize("head", [b"", b"\xac\x42\0\x08\0\0\0", b"\xac\x40", b"\xac\x41\xff\xff\0"])
def test_what_is_no_frame_is_refused(head: bytes) -> None:
    with pytest.raises(FormatError):
        ac4.frame_size(head)


def test_every_cut_of_a_frame_is_refused() -> None:
    frame = raw_frame(Frame())
    for end in range(len(frame)):
        with pytest.raises(FormatError):
            parse_toc(frame[:end])


def test_a_number_that_does_not_end_is_given_up_early() -> None:
    bits = BitReader(b"\xff" * 100_000)

    with pytest.raises(FormatError):
        variable_bits(bits, 2)
    assert bits.position < 64


def test_no_real_frame_has_so_many_parts() -> None:
    bits = BitReader(b"")

    assert bounded(bits, MAX_COUNT) == MAX_COUNT
    with pytest.raises(FormatError):
        bounded(bits, MAX_COUNT + 1)


def test_the_table_ends_where_the_frame_ends() -> None:
    toc = parse_toc(raw_frame(Frame()))

    assert toc.spans[-1][1] == len(raw_frame(Frame()))
    assert (toc.sequence_counter, toc.i_frame) == (1, True)
    assert parse_toc(raw_frame(replace(Frame(), frame_rate_index=4))).frame_rate_index == 4


@pytest.mark.parametrize("path", SAMPLES)
def test_a_real_stream_parses_in_all_its_frames(path: Path, atmos: Profile) -> None:
    """MediaInfo reads the same: A-JOC 20.1, Atmos, an I-frame every ten frames."""
    with open_source(path) as source:
        track = mp4.read_mp4(source).audio()
        assert track is not None
        frames = [source.read(at, size) for at, size in track.samples()]
    tocs = [parse_toc(frame) for frame in frames]

    assert len(tocs) == 20
    assert [index for index, toc in enumerate(tocs) if toc.i_frame] == [0, 10]
    assert {toc.groups[0][0] for toc in tocs} == {Substream(a_joc=True, objects=20, lfe=True)}
    for frame, toc in zip(frames, tocs, strict=True):
        assert toc.spans[-1][1] == len(frame)
        assert coding_of(toc, toc.presentations[0]) is Found.OBJECTS
        assert says_atmos(frame, toc, toc.presentations[0])
    assert inspect(path, atmos, opinions=False).problems == ()


def test_dac4_of_a_real_encoder() -> None:
    box = parse_dac4(bytes.fromhex("20ba01600000001fffffffe0010afc8000000802283d0080"))

    assert (box.sample_rate, box.frame_rate_index) == (48_000, 13)
    assert box.presentations == (Presentation(1, 4, object_based=True, a_joc=True),)
