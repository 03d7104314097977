"""Masters that are no Atmos: what each type takes, and that nothing else gets through."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from services.validator.decoding import SourceFile
from services.validator.formats.crc16 import crc16
from services.validator.formats.cues import MAX_BYTES
from services.validator.formats.flac import StreamInfo, check_first_frame, read_header
from services.validator.formats.iso_video import Movie, VideoTrack, read_movie
from services.validator.inspection import inspect
from services.validator.master_types import MasterType
from services.validator.rules.motion_art import MotionArt
from services.validator.rules.registry import judge
from shared.adm.source import FormatError, open_source
from shared.problems import Format, Severity
from tests.support.media import broken_audio_files, broken_motion_art, broken_subtitles
from tests.support.media.flac import CD, HD, MD5, MONO, audio_start, flac, wave
from tests.support.media.subtitles import SRT, WEBVTT
from tests.support.media.video import DESKTOP, MOBILE, Art, movie

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.validator.inspection import Report
    from services.validator.profile import Profile
    from tests.support.media.broken import Broken

BROKEN = [*broken_audio_files.files(), *broken_subtitles.files(), *broken_motion_art.files()]
NTSC = Fraction(30_000, 1001)
CODECS = ("avc1", "avc3", "hvc1", "hev1", "apco", "apcs", "apcn", "apch", "ap4h", "ap4x")
VALID: dict[str, tuple[str, Callable[[], bytes]]] = {
    "cd wave": ("cd", lambda: wave(CD)),
    "cd flac": ("cd", lambda: flac(CD)),
    "hd wave": ("hd", lambda: wave(HD)),
    "hd flac": ("hd", lambda: flac(HD)),
    "hd of 192 kHz": ("hd", lambda: flac(replace(HD, rate=192_000))),
    "mono": ("audio_track", lambda: wave(MONO)),
    "mono flac": ("audio_track", lambda: flac(MONO)),
    "cd as track": ("audio_track", lambda: flac(CD)),
    "one frame": ("cd", lambda: flac(replace(CD, frames=1000))),
    "silence flac": ("cd", lambda: flac(replace(CD, level=0, frames=5000))),
    "short silence flac": ("cd", lambda: flac(replace(CD, level=0, frames=1000))),
    "webvtt": ("subtitles", WEBVTT.encode),
    "webvtt of Windows": ("subtitles", WEBVTT.replace("\n", "\r\n").encode),
    "webvtt with a mark": ("subtitles", WEBVTT.encode("utf-8-sig").__bytes__),
    "webvtt with a longer header": (
        "subtitles",
        WEBVTT.replace("test\n", "test\nKind: captions\n", 1).encode,
    ),
    "two at a time": ("subtitles", WEBVTT.replace("00:03.500 -->", "00:01.000 -->").encode),
    "srt": ("subtitles", SRT.encode),
    "srt of old Macs": ("subtitles", SRT.replace("\n", "\r").encode),
    "h264": ("apple_motion_art_desktop", lambda: movie(Art(size=DESKTOP))),
    "hevc": (
        "apple_motion_art_mobile",
        lambda: movie(Art(size=MOBILE, codec="libx265", rate=Fraction(24_000, 1001))),
    ),
    "prores": (
        "apple_motion_art_mobile",
        lambda: movie(
            Art(size=MOBILE, codec="prores_ks", rate=NTSC, pictures=450, container="mov")
        ),
    ),
}


def judged(path: Path, data: bytes, master_type: str, profile: Profile) -> Report:
    path.write_bytes(data)
    return inspect(path, profile, master_type=master_type, opinions=False)


@pytest.mark.parametrize("name", VALID)
def test_a_valid_master_has_no_problem(name: str, tmp_path: Path, atmos: Profile) -> None:
    master_type, make = VALID[name]
    report = judged(tmp_path / "master", make(), master_type, atmos)
    assert report.problems == ()
    assert report.accepted
    assert report.format.duration_seconds > 0


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: f"{each.code}: {each.name}")
def test_a_broken_master_has_one_code(broken: Broken, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master"
    broken.write(path)
    report = inspect(path, atmos, master_type=broken.master_type, opinions=False)
    assert {each.code for each in report.problems} == {broken.code}
    severities = {each.severity for each in report.problems}
    assert report.accepted == (Severity.ERROR not in severities)


def test_the_numbers_of_a_file_are_told(tmp_path: Path, atmos: Profile) -> None:
    report = judged(tmp_path / "master", flac(HD), "hd", atmos)
    assert report.format == Format(
        container="FLAC file",
        codec="FLAC",
        sample_rate_hertz=96_000,
        bit_depth=24,
        channels=2,
        duration_seconds=HD.frames / 96_000,
    )


def test_nothing_is_decoded_when_the_sound_is_not_asked_for(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.flac"
    data = flac(CD)
    path.write_bytes(data[:MD5] + bytes([1] * 16) + data[MD5 + 16 :])
    assert inspect(path, atmos, master_type="cd", opinions=False, audio=False).accepted
    assert not inspect(path, atmos, master_type="cd", opinions=False).accepted


def test_the_decoding_tells_how_far_it_is(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.flac"
    path.write_bytes(flac(CD))
    seen: list[tuple[str, int, int]] = []
    inspect(
        path,
        atmos,
        master_type="cd",
        opinions=False,
        on_progress=lambda *step: seen.append(step),
    )
    assert ("audio", CD.frames, CD.frames) in seen


def test_an_atmos_master_is_no_cd(tmp_path: Path, atmos: Profile) -> None:
    report = judged(tmp_path / "master", movie(Art(size=MOBILE)), "cd", atmos)
    assert [each.code for each in report.problems] == ["master_type_differs"]
    assert report.problems[0].allowed == "a WAV or FLAC file"


def test_a_comment_that_is_no_text_harms_nothing(tmp_path: Path, atmos: Profile) -> None:
    data = flac(CD)
    at = data.index(b"encoder=")
    report = judged(tmp_path / "master", data[:at] + b"\xff" + data[at + 1 :], "cd", atmos)
    assert report.problems == ()


def test_a_master_type_that_nobody_knows_is_an_error(tmp_path: Path, atmos: Profile) -> None:
    with pytest.raises(ValueError, match="vinyl"):
        judged(tmp_path / "master", b"", "vinyl", atmos)


@pytest.mark.parametrize("master_type", sorted(set(MasterType) - {MasterType.DOLBY_ATMOS}))
@pytest.mark.parametrize(
    "make", [lambda: flac(CD), lambda: movie(Art(size=MOBILE)), SRT.encode], ids=["a", "v", "s"]
)
def test_a_cut_file_always_ends_in_a_verdict(
    make: Callable[[], bytes], master_type: str, tmp_path: Path, atmos: Profile
) -> None:
    data = make()
    for length in (1, 3, 9, 30, 44, 60, 200, 1000, len(data) // 2, len(data) - 1):
        report = judged(tmp_path / "master", data[:length], master_type, atmos)
        # Text that is cut between two cues is still good.
        assert report.accepted == (not any(each.severity == "error" for each in report.problems))


def test_what_is_too_long_for_subtitles_is_not_read(tmp_path: Path, atmos: Profile) -> None:
    report = judged(tmp_path / "master", SRT.encode().ljust(MAX_BYTES), "subtitles", atmos)
    assert report.accepted


@pytest.mark.parametrize(
    ("timescale", "ticks", "last", "codes"),
    [
        (600, {25: 350, 26: 9}, 26, []),
        (600, {24: 180, 26: 179}, 26, ["video_frame_rate_varies"]),
        (24, {1: 400}, 5, []),
        (30_000, {1001: 1048}, 1001, []),
        (30_000, {1001: 1049}, 1001, ["video_duration_not_allowed"]),
        (0, {1001: 450}, 1001, ["video_empty"]),
        (24, {}, 0, ["video_empty"]),
        (1, {}, 20, ["video_frame_rate_not_allowed"]),
        (24, {0: 400}, 1, ["video_empty"]),
        (24, {1: 359}, 1, []),
        (24, {1: 358}, 1, ["video_duration_not_allowed"]),
        (60, {1: 1199}, 1, []),
        (61, {1: 1219}, 1, ["video_frame_rate_not_allowed"]),
        (24_000, {1001: 479}, 1001, []),
        (23, {1: 459}, 1, ["video_frame_rate_not_allowed"]),
        (2396, {100: 479}, 100, ["video_frame_rate_not_allowed"]),
        (6005, {100: 1199}, 100, ["video_frame_rate_not_allowed"]),
        (60_000, {1001: 898}, 1001, []),
        (60_000, {1001: 897}, 1001, ["video_duration_not_allowed"]),
    ],
)
def test_times_are_judged_as_far_as_ticks_can_tell(
    timescale: int, ticks: dict[int, int], last: int, codes: list[str], atmos: Profile
) -> None:
    video = VideoTrack("avc1", *MOBILE, (1, 1), timescale, ticks, last)
    art = MotionArt(Movie((video,), 0, None), "apple_motion_art_mobile")
    assert [each.code for each in judge(art, atmos)] == codes


@pytest.mark.parametrize(
    ("master_type", "size"),
    [("apple_motion_art_desktop", DESKTOP), ("apple_motion_art_mobile", MOBILE)],
)
@pytest.mark.parametrize(("wider", "higher"), [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
def test_pictures_have_just_the_size_of_their_type(
    master_type: str, size: tuple[int, int], wider: int, higher: int, atmos: Profile
) -> None:
    width, height = size[0] + wider, size[1] + higher
    video = VideoTrack("avc1", width, height, (1, 1), 24, {1: 400}, 1)
    codes = [each.code for each in judge(MotionArt(Movie((video,), 0, None), master_type), atmos)]
    assert codes == (["video_size_not_allowed"] if wider or higher else [])


@pytest.mark.parametrize(
    "codec", ["avc1", "avc3", "hvc1", "hev1", "apco", "apcs", "apcn", "apch", "ap4h", "ap4x"]
)
def test_each_codec_of_motion_art_is_taken(codec: str, atmos: Profile) -> None:
    video = VideoTrack(codec, *MOBILE, (1, 1), 24, {1: 400}, 1)
    assert not judge(MotionArt(Movie((video,), 0, None), "apple_motion_art_mobile"), atmos)


@pytest.mark.parametrize(("ratio", "told"), [((7, 7), 0), ((4, 3), 1), ((3, 4), 1)])
def test_pixels_are_square(ratio: tuple[int, int], told: int, atmos: Profile) -> None:
    video = VideoTrack("avc1", *MOBILE, ratio, 24, {1: 400}, 1)
    art = MotionArt(Movie((video,), 0, None), "apple_motion_art_mobile")
    assert len(list(judge(art, atmos))) == told


@pytest.mark.parametrize("pictures", [1, 2, 360])
def test_the_last_picture_counts_apart(pictures: int, tmp_path: Path) -> None:
    path = tmp_path / "art.mp4"
    path.write_bytes(movie(Art(size=MOBILE, pictures=pictures)))
    with open_source(path) as source:
        (track,) = read_movie(source).videos
    assert (track.pictures, sum(track.ticks.values())) == (pictures, pictures - 1)
    assert 0 not in track.ticks.values()
    assert track.last_tick * 24 == track.timescale


def test_a_header_says_which_frame_is_next() -> None:
    data = flac(CD)
    header = read_header(data[audio_start(data) :][:16])
    assert (header.number, header.next_number, header.samples) == (0, 1, 4608)


def framed(head: bytes) -> bytes:
    """Return a header with the one CRC-8 that it can be read with."""
    (crc,) = (each for each in range(256) if _reads(head + bytes([each]) + bytes(16)))
    return head + bytes([crc])


def _reads(data: bytes) -> bool:
    try:
        read_header(data)
    except FormatError:
        return False
    return True


def test_a_header_by_samples_counts_samples() -> None:
    # 192 samples from sample 0x1234 on, coded as in UTF-8; RFC 9639 §9.1.
    header = read_header(framed(b"\xff\xf9\x19\x18\xe1\x88\xb4") + bytes(16))
    assert (header.variable, header.number, header.next_number) == (True, 0x1234, 0x1234 + 192)


@pytest.mark.parametrize("code", [6, 7])
def test_a_header_may_count_its_samples_itself(code: int) -> None:
    tail = b"\x0f" if code == 6 else b"\x01\x0f"
    header = read_header(framed(b"\xff\xf8" + bytes([code << 4 | 9, 0x18, 0]) + tail) + bytes(16))
    assert header.samples == int.from_bytes(tail) + 1


@pytest.mark.parametrize("inside", [b"\xff\xf8\x19\x18\x05", b"\xff\xf9\x19\x18\x01"])
def test_a_header_within_a_frame_does_not_end_it(inside: bytes, tmp_path: Path) -> None:
    path = tmp_path / "frames"
    first = framed(b"\xff\xf8\x19\x18\0") + bytes(30) + framed(inside) + bytes(30)
    first += crc16(first).to_bytes(2)
    following = framed(b"\xff\xf8\x19\x18\1") + bytes(40)
    path.write_bytes(first + following)
    with open_source(path) as source:
        check_first_frame(source, StreamInfo(44_100, 2, 16, 0, bytes(16)))
    path.write_bytes(first[:20] + b"\1" + first[21:] + following)
    with (
        open_source(path) as source,
        pytest.raises(FormatError, match="The CRC-16 of the first frame is wrong"),
    ):
        check_first_frame(source, StreamInfo(44_100, 2, 16, 0, bytes(16)))


def test_a_source_reads_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    with open_source(path) as source:
        file = SourceFile(source)
        assert file.seek(-10, 2) == 90
        assert file.read(20) == bytes(range(90, 100))
        assert file.seek(-5, 1) == 95
        assert file.seek(7) == 7
        assert file.read(1) == b"\7"
