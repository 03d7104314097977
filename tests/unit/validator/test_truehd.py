"""TrueHD: a 16-channel presentation is Atmos, and each way to break a stream is found alone."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import msgspec
import pytest
from av import logging as av_logging

from services.validator.families.truehd import TRUEHD_ATMOS
from services.validator.formats import truehd
from services.validator.formats.truehd_checksums import SubstreamChecks
from services.validator.formats.truehd_dmlp import Dmlp, parse_dmlp
from services.validator.formats.truehd_sync import Objects, parse_major_sync
from services.validator.inspection import inspect
from shared.adm.source import FormatError
from tests.support.media.broken_truehd import files
from tests.support.media.truehd import Spec, checked, dmlp, mp4_file, raw_file, sync, units

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.validator.profile import Profile
    from tests.support.media.broken import Broken


@pytest.fixture(scope="module")
def taking(atmos: Profile) -> Profile:
    """A delivery profile that takes TrueHD."""
    return msgspec.structs.replace(atmos, formats=atmos.formats | {TRUEHD_ATMOS})


@pytest.mark.parametrize("make", [raw_file, mp4_file], ids=["raw", "MP4"])
@pytest.mark.parametrize(("objects_only", "beds", "objects"), [(True, 1, 15), (False, 8, 8)])
def test_atmos_is_accepted(
    *,
    make: Callable[[Spec], bytes],
    objects_only: bool,
    beds: int,
    objects: int,
    tmp_path: Path,
    taking: Profile,
) -> None:
    path = tmp_path / "master"
    path.write_bytes(make(Spec(objects_only=objects_only)))

    report = inspect(path, taking, opinions=False)

    assert (report.problems, report.accepted) == ((), True)
    assert report.format.codec == "TrueHD Atmos"
    assert (report.format.bed_channels, report.format.objects) == (beds, objects)
    assert report.format.duration_seconds == pytest.approx(40 * 40 / 48_000)


@pytest.mark.parametrize("broken", files(), ids=lambda each: f"{each.code}: {each.name}")
def test_a_broken_file_has_one_problem(broken: Broken, tmp_path: Path, taking: Profile) -> None:
    path = tmp_path / "master"
    broken.write(path)

    report = inspect(path, taking, opinions=False)

    assert {problem.code for problem in report.problems} == {broken.code}


def decoded(data: bytes) -> tuple[int, str | None, list[str]]:
    """Return what FFmpeg makes of a stream: samples, profile and what it complains about."""
    av_logging.set_level(av_logging.WARNING)
    try:
        with (
            av_logging.Capture() as messages,
            av.open(io.BytesIO(data), "r", format="truehd") as file,
        ):
            stream = file.streams.audio[0]
            stream.codec_context.options = {"err_detect": "crccheck"}
            samples = sum(frame.samples for frame in file.decode(audio=0))
            profile = stream.codec_context.profile
    finally:
        av_logging.set_level(None)
    return samples, profile, [text for _, _, text in messages]


def test_ffmpeg_decodes_what_is_generated_and_finds_its_checksums_right() -> None:
    assert decoded(raw_file()) == (40 * 40, "Dolby TrueHD + Dolby Atmos", [])


def test_ffmpeg_finds_the_wrong_checksum_that_we_find() -> None:
    broken = bytearray(raw_file())
    broken[-4 - sum(map(len, units()[-1].segments[1:]))] ^= 0x10

    assert any("checksum failed" in text for text in decoded(bytes(broken))[2])


def test_a_wrong_segment_is_named_whatever_is_around_it() -> None:
    right, checks = checked(b"some sound"), SubstreamChecks()
    for unit in range(200):
        data = bytearray(right)
        data[3] ^= unit in {17, 18, 150}
        checks.add(unit, bytes(data))
    checks.finish()

    assert checks.failed == [17, 18, 150]


def test_the_same_error_in_every_segment_does_not_cancel_out() -> None:
    right = checked(b"some sound")
    for mask in range(1, 256):
        for index in (-1, -2):
            wrong, checks = bytearray(right), SubstreamChecks()
            wrong[index] ^= mask
            for unit in range(61):
                checks.add(unit, bytes(wrong))
            checks.finish()
            assert checks.failed == list(range(8))


@pytest.mark.parametrize("head", [b"", b"\0\0\0\0", b"\xf0\x02\0\0", b"\0\x20\0"])
def test_what_is_no_access_unit_is_refused(head: bytes) -> None:
    with pytest.raises(FormatError):
        truehd.frame_size(head)


def test_the_sizes_are_those_of_the_units() -> None:
    for unit in map(bytes, units()):
        assert truehd.frame_size(unit[: truehd.HEADER_BYTES]) == len(unit)


def test_every_cut_of_an_access_unit_is_refused() -> None:
    first = bytes(units()[0])
    for end in range(len(first)):
        with pytest.raises(FormatError):
            truehd.parse_unit(first[:end], None)


def test_the_major_sync_says_what_the_stream_is() -> None:
    read = parse_major_sync(sync(Spec(rate_code=1)))

    assert (read.sample_rate, read.samples_per_unit, read.substreams) == (96_000, 80, 4)
    assert (read.has_objects, read.objects, read.crc_ok) == (True, Objects(16, 15), True)
    assert not parse_major_sync(sync(Spec(atmos=False))).has_objects


def test_dmlp_repeats_the_major_sync() -> None:
    first = parse_major_sync(sync(Spec()))

    assert parse_dmlp(dmlp()[8:]) == Dmlp(first.format_info, first.peak_data_rate)


@pytest.mark.parametrize("count", [0, 5])
def test_a_stream_has_one_to_four_substreams(count: int) -> None:
    with pytest.raises(FormatError):
        parse_major_sync(sync(Spec(substreams=count)))
