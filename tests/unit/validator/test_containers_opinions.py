"""Second opinions: asked of every codec, kept whole, and told when they differ."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import pymediainfo
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from cli.demo.master import Spec, master
from services.validator.formats.recognise import Kind, recognise
from services.validator.inspection import inspect
from services.validator.opinions import MAX_TEXTS, second_opinions
from services.validator.rules.opinions import Comparison, Opinion
from services.validator.rules.registry import judge
from shared.problems import Severity
from tests.support.media import ac4, mpeg_ts, truehd
from tests.support.media.eac3 import Joc, joc_frames, joc_mp4
from tests.support.media.others import stereo_wave
from tests.support.media.video import Art, movie

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.validator.profile import Profile

FRAMES = 6
SPOOF, SILENT = Joc(oamd_objects=None, joc_objects=None), Joc(signalled=None)


def ask(path: Path) -> list[Opinion]:
    return list(second_opinions(path, recognise(path).kind))


def encoded(codec: str, form: str) -> bytes:
    """Return stereo silence in a file, as FFmpeg encodes it."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=48_000, layout="stereo")
        assert isinstance(stream, AudioStream)
        assert stream.codec.audio_formats is not None
        stream.codec_context.format = stream.codec.audio_formats[0]
        stream.codec_context.open()
        for index in range(FRAMES):
            frame = AudioFrame(stream.format.name, "stereo", stream.frame_size or 1024)
            frame.sample_rate, frame.pts = 48_000, index * frame.samples
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("codec", "form"),
    [("flac", "flac"), ("aac", "adts"), ("aac", "mpegts"), ("ac3", "ac3")],
)
def test_every_codec_is_decoded_to_its_end(codec: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(encoded(codec, form))
    assert recognise(path).kind is Kind.OTHER_AUDIO
    ffmpeg, mediainfo = ask(path)
    assert (ffmpeg.format, ffmpeg.failed, ffmpeg.complaints) == (codec, 0, ())
    assert ffmpeg.decoded >= FRAMES
    assert mediainfo.format
    assert mediainfo.atmos is False


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(joc_mp4(), id="MP4"),
        pytest.param(b"".join(joc_frames()), id="raw"),
        pytest.param(mpeg_ts.transport_stream(mpeg_ts.Stream(frames=joc_frames())), id="TS"),
    ],
)
def test_atmos_is_decoded_in_every_container(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    ffmpeg, mediainfo = ask(path)
    assert (ffmpeg.tool.split()[0], ffmpeg.atmos) == ("FFmpeg", True)
    assert (ffmpeg.decoded, ffmpeg.failed) == (len(joc_frames()), 0)
    assert ffmpeg.commercial_name == "Dolby Digital Plus + Dolby Atmos"
    assert (mediainfo.tool.split()[0], mediainfo.format) == ("MediaInfo", "E-AC-3")


def test_frames_that_fail_are_counted(tmp_path: Path) -> None:
    frames = joc_frames()
    bad = frames[0][:700] + bytes([frames[0][700] ^ 0x10]) + frames[0][701:]
    path = tmp_path / "file"
    path.write_bytes(joc_mp4((frames[0], bad, bad, *frames[3:])))
    ffmpeg, _ = ask(path)
    assert (ffmpeg.decoded, ffmpeg.failed) == (len(frames) - 2, 2)
    assert ffmpeg.complaints == ("2 frames do not decode",)


def test_a_damaged_flac_does_not_decode(tmp_path: Path) -> None:
    data = bytearray(encoded("flac", "flac"))
    data[-3] ^= 0x10
    path = tmp_path / "file"
    path.write_bytes(data)
    assert ask(path)[0].failed == 1


def test_mediainfo_s_words_are_kept(tmp_path: Path) -> None:
    wave = master(Spec(objects=1, seconds=1.0))
    axml = wave.chunks["axml"].replace(b'mixedContentKind="0"', b'mixedContentKind="1"')
    path = tmp_path / "master.wav"
    wave.with_chunk("axml", axml).write(path)
    mediainfo = ask(path)[1]
    assert (mediainfo.format, mediainfo.atmos) == ("PCM", True)
    (text,) = mediainfo.complaints
    assert text.startswith("audioObject/dialogue0: dialogue@mixedContentKind attribute value")


def test_mediainfo_s_words_are_bounded(tmp_path: Path) -> None:
    wave = master(Spec(objects=30, seconds=1.0))
    axml = wave.chunks["axml"].replace(b'sampleRate="48000"', b'sampleRate="1"')
    path = tmp_path / "master.wav"
    wave.with_chunk("axml", axml).write(path)
    assert len(ask(path)[1].complaints) == MAX_TEXTS


def test_what_no_tool_reads_is_said_without_a_path(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x0b\x77" + bytes(50))
    ffmpeg, mediainfo = ask(path)
    assert ffmpeg.complaints
    assert str(tmp_path) not in "".join(ffmpeg.complaints + mediainfo.complaints)


def test_sound_without_a_decoder_is_no_complaint(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(stereo_wave())
    ffmpeg, _ = ask(path)
    assert (ffmpeg.format, ffmpeg.atmos, ffmpeg.decoded) == ("pcm_s16le", None, 0)
    assert ffmpeg.complaints == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (True, True, []),
        (True, None, []),
        (True, False, ["Tool does not see Atmos here."]),
        (False, True, ["Tool sees Atmos here."]),
    ],
)
def test_a_disagreement_is_told(
    *, ours: bool, theirs: bool | None, told: list[str], atmos: Profile
) -> None:
    compared = Comparison(atmos=ours, accepted=True, opinion=Opinion(tool="Tool 1", atmos=theirs))
    problems = judge(compared, atmos)
    assert [problem.detail for problem in problems] == told
    assert {problem.severity for problem in problems} <= {Severity.INFO}


@pytest.mark.parametrize(
    ("accepted", "count", "told"),
    [
        (True, 1, "Tool complains: 0"),
        (True, 6, "Tool complains: 0; 1; 2; 3 (and 2 more)"),
        (False, 6, None),
    ],
)
def test_a_complaint_about_what_we_accept_is_told(
    *, accepted: bool, count: int, told: str | None, atmos: Profile
) -> None:
    opinion = Opinion(tool="Tool 1", complaints=tuple(map(str, range(count))))
    problems = judge(Comparison(atmos=True, accepted=accepted, opinion=opinion), atmos)
    assert [problem.detail for problem in problems] == ([told] if told else [])
    assert {problem.location for problem in problems} <= {"Tool"}


@pytest.mark.parametrize(("joc", "believed"), [(SPOOF, True), (SILENT, False)])
def test_ffmpeg_believes_the_flag_alone(joc: Joc, *, believed: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(joc_mp4(joc_frames(joc=joc)))
    assert ask(path)[0].atmos is believed


def _failing(error: Exception) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


CALLS: dict[str, tuple[object, str]] = {
    "MediaInfo": (pymediainfo.MediaInfo, "parse"),
    "FFmpeg": (av, "open"),
}


@pytest.mark.parametrize(
    ("tool", "error"),
    [
        pytest.param("MediaInfo", OSError("no library"), id="system"),
        pytest.param("MediaInfo", RuntimeError("no library"), id="MediaInfo"),
        pytest.param("MediaInfo", ValueError("no library"), id="JSON"),
        pytest.param("FFmpeg", av.error.FFmpegError(1, "no library"), id="FFmpeg"),
        pytest.param("FFmpeg", ValueError("no library"), id="PyAV"),
    ],
)
def test_a_tool_that_fails_is_told(
    tool: str, error: Exception, tmp_path: Path, atmos: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(joc_mp4())
    monkeypatch.setattr(*CALLS[tool], _failing(error))
    report = inspect(path, atmos)
    told = [each.detail for each in report.problems if each.location == tool]
    assert told == [f"{tool} complains: no library"]
    assert report.accepted
    assert len(report.opinions) == 2


def test_a_file_without_sound_is_told_by_both(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(movie(Art(size=(16, 16), pictures=2)))
    ffmpeg, mediainfo = second_opinions(path, Kind.EAC3)
    assert ffmpeg.complaints == ("no sound stream",)
    assert mediainfo.complaints == ("no sound track",)


def test_raw_truehd_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(truehd.raw_file())
    ffmpeg, _ = ask(path)
    assert (ffmpeg.format, ffmpeg.decoded, ffmpeg.complaints) == ("truehd", 40, ())
    assert ffmpeg.atmos is True


def test_the_atmos_of_ac4_is_seen_by_mediainfo(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(ac4.mp4_file())
    ffmpeg, mediainfo = ask(path)
    assert (ffmpeg.atmos, ffmpeg.complaints) == (None, ())
    assert mediainfo.atmos is True
