"""What cannot be published says so with a code, and nothing of the machine gets out."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from services.publisher import transcode as transcoding
from services.publisher.errors import Code, TranscodeError
from services.publisher.formats import FORMATS
from tests.support.media import ac4, eac3
from tests.support.media.audio import noise, tone, write_plain
from tests.support.media.pictures import picture
from tests.support.renditions import chunk, heard, publish, wave

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
REAL_STREAMS = [
    (path, 1536 * packets)
    for name, packets in (("androidx_sample_eac3.mp4", 9), ("androidx_sample_eac3joc.mp4", 64))
    if (path := SAMPLES / name).is_file()
]
REAL_REFUSALS = [
    (path, code)
    for name, code in (("androidx_sample_ac4_level4.mp4", Code.CODEC_UNSUPPORTED),)
    if (path := SAMPLES / name).is_file()
]
SOUND = noise(0.5, 48_000, 2)


def refusal(path: Path, cover: bytes = b"", name: str = "flac") -> TranscodeError:
    with pytest.raises(TranscodeError) as caught:
        publish(path, name, cover=cover)
    assert str(path.parent) not in caught.value.detail
    return caught.value


def flac(path: Path) -> bytes:
    write_plain(path, noise(2.0, 48_000, 2), 48_000)
    return publish(path, "flac")[1]["flac"].read_bytes()


def flac_in_matroska(path: Path) -> bytes:
    """The same frames where no parser looks at them before the decoder does."""
    path.with_suffix(".flac").write_bytes(flac(path))
    with (
        av.open(str(path.with_suffix(".flac"))) as plain,
        av.open(str(path), "w", format="matroska") as container,
    ):
        stream = container.add_stream_from_template(plain.streams.audio[0])
        for packet in plain.demux(audio=0):
            packet.stream = stream
            container.mux([packet] if packet.size else [])
    return path.read_bytes()


def flipped(data: bytes) -> bytes:
    """Change bits in the middle."""
    at = len(data) // 2
    return data[:at] + bytes(each ^ 0x55 for each in data[at : at + 64]) + data[at + 64 :]


def two_sounds(path: Path) -> bytes:
    """A file with two streams of sound."""
    with av.open(str(path), "w", format="mov") as container:
        streams = [container.add_stream("pcm_s16le", rate=48_000, layout="mono") for _ in "ab"]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 480), np.int16), layout="mono")
            frame.rate = 48_000
            container.mux(stream.encode(frame))
    return path.read_bytes()


def only_a_picture(path: Path) -> bytes:
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("mjpeg", rate=1, width=64, height=64, pix_fmt="yuvj420p")
        grey = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for end in (grey, None):
            container.mux(stream.encode(end))
    return path.read_bytes()


MASTERS: dict[str, tuple[Code, Callable[[Path], bytes]]] = {
    "nothing": (Code.MASTER_UNREADABLE, lambda _: b""),
    "zeros": (Code.MASTER_UNREADABLE, lambda _: bytes(100_000)),
    "text": (Code.MASTER_UNREADABLE, lambda _: b"no sound " * 10_000),
    "a wave file of no samples": (Code.MASTER_EMPTY, lambda _: wave(SOUND[:0], 48_000)),
    "a wave file cut off": (Code.MASTER_TRUNCATED, lambda _: wave(SOUND, 48_000)[:-1000]),
    "a FLAC file cut off": (Code.MASTER_UNDECODABLE, lambda path: flac(path)[:-5000]),
    "a FLAC file with wrong bits": (Code.MASTER_UNDECODABLE, lambda path: flipped(flac(path))),
    "FLAC in Matroska with wrong bits": (
        Code.MASTER_UNDECODABLE,
        lambda path: flipped(flac_in_matroska(path)),
    ),
    "AC-4": (Code.CODEC_UNSUPPORTED, lambda _: ac4.mp4_file()),
    "two rates, one after the other": (
        Code.MASTER_CHANGES,
        lambda _: b"".join((*eac3.plain_frames(), *eac3.plain_frames(rate=44_100))),
    ),
    "two sounds": (Code.MASTER_AMBIGUOUS, two_sounds),
    "a picture": (Code.MASTER_WITHOUT_SOUND, only_a_picture),
    "six channels without names": (
        Code.LAYOUT_UNSUPPORTED,
        lambda _: wave(noise(0.1, 48_000, 6), 48_000),
    ),
    "channels above": (
        Code.LAYOUT_UNSUPPORTED,
        lambda _: wave(noise(0.1, 48_000, 12), 48_000, layout="7.1.4"),
    ),
    "two channels of a scene": (
        Code.ADM_UNREADABLE,
        lambda _: wave(SOUND, 48_000, more=chunk(b"chna", struct.pack("<HH", 2, 2) + bytes(80))),
    ),
    "a rate too low": (Code.SAMPLE_RATE_UNSUPPORTED, lambda _: wave(SOUND, 7_999)),
    "a rate too high": (Code.SAMPLE_RATE_UNSUPPORTED, lambda _: wave(SOUND, 400_000)),
    "no numbers": (
        Code.MASTER_UNDECODABLE,
        lambda _: wave(SOUND * np.float32(np.nan), 48_000, floating=True),
    ),
    "numbers without end": (
        Code.MASTER_UNDECODABLE,
        lambda _: wave(np.full_like(SOUND, np.inf), 48_000, floating=True),
    ),
    "integers as floats": (
        Code.MASTER_UNDECODABLE,
        lambda _: wave(SOUND * np.float32(2.0**23), 48_000, floating=True),
    ),
}


@pytest.mark.parametrize("name", MASTERS)
def test_a_master_that_cannot_be_published_has_a_code(tmp_path: Path, name: str) -> None:
    code, make = MASTERS[name]
    path = tmp_path / "master"
    path.write_bytes(make(tmp_path / "made.wav"))
    assert refusal(path, name="mp3").code is code


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
        '<?xml version="1.0"?><MPD><Period><BaseURL>{}</BaseURL></Period></MPD>',
    ],
    ids=["hls", "concat", "sdp", "dash"],
)
def test_no_master_names_another_file(tmp_path: Path, text: str) -> None:
    secret = tmp_path / "secret.wav"
    write_plain(secret, SOUND, 48_000)
    path = tmp_path / "master"
    path.write_text(text.format(secret))
    assert refusal(path).code is Code.MASTER_UNREADABLE


@pytest.mark.parametrize("cover", [picture("bmp"), picture("png")[:60], b"x"])
def test_a_cover_is_a_jpeg_or_a_png(tmp_path: Path, cover: bytes) -> None:
    path = tmp_path / "master.wav"
    write_plain(path, SOUND, 48_000)
    assert refusal(path, cover).code is Code.COVER_UNREADABLE


def test_a_format_that_cannot_say_how_long_it_is_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FORMATS["aiff"].max_bytes == 2**31 - 1
    small = {"aiff": replace(FORMATS["aiff"], max_bytes=100_000)}
    monkeypatch.setattr(transcoding, "FORMATS", small)
    path = tmp_path / "master.wav"
    write_plain(path, noise(1.0, 48_000, 2), 48_000)
    assert refusal(path, name="aiff").code is Code.RENDITION_TOO_LARGE
    # It is not written to its end first.
    assert path.with_name("out-aiff.aiff").stat().st_size < path.stat().st_size * 2 / 3


@pytest.mark.parametrize("made", [b"".join(eac3.plain_frames()), eac3.joc_mp4()])
def test_of_e_ac_3_the_channels_are_published(tmp_path: Path, made: bytes) -> None:
    path = tmp_path / "master"
    path.write_bytes(made)

    done, files = publish(path, "wav", "mp3")

    assert done.frames == 8 * 1536
    assert done.mixed
    assert len(heard(files["wav"]).samples) == done.frames
    path.write_bytes(flipped(made))
    assert refusal(path).code is Code.MASTER_UNDECODABLE


@pytest.mark.parametrize(("path", "frames"), REAL_STREAMS)
def test_real_streams_are_published(tmp_path: Path, path: Path, frames: int) -> None:
    master = tmp_path / "master"
    master.write_bytes(path.read_bytes())
    done, _ = publish(master, "m4a")
    assert (done.frames, done.mixed) == (frames, True)


@pytest.mark.parametrize(("path", "code"), REAL_REFUSALS)
def test_real_files_are_refused_for_what_they_are(tmp_path: Path, path: Path, code: Code) -> None:
    master = tmp_path / "master"
    master.write_bytes(path.read_bytes())
    assert refusal(master).code is code


def test_a_whole_tone_of_a_bw64_file_is_there(tmp_path: Path) -> None:
    signal = np.repeat(tone(0.5, 48_000, 997), 2, axis=1)
    plain = wave(signal, 48_000)
    size = len(signal) * 6
    sizes = struct.pack("<QQQI", len(plain) + 28, size, len(signal), 0)
    path = tmp_path / "master.wav"
    path.write_bytes(
        b"BW64\xff\xff\xff\xffWAVE"
        + chunk(b"ds64", sizes)
        + plain[12:].replace(b"data" + struct.pack("<I", size), b"data\xff\xff\xff\xff")
    )

    done, files = publish(path, "wav")

    assert done.frames == len(signal)
    assert heard(files["wav"]).strongest_hertz(0) == pytest.approx(997, abs=3)
    path.write_bytes(path.read_bytes()[:-6000])
    assert refusal(path).code is Code.MASTER_TRUNCATED
