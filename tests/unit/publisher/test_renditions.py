"""Every format, decoded again: as long, as loud, at its pitch, with its tags and its cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pyebur128
import pytest

from services.publisher.formats import FORMATS
from services.publisher.order import Tags
from tests.support.media.audio import noise, tone, write_plain
from tests.support.media.pictures import picture
from tests.support.renditions import heard, publish, wave

if TYPE_CHECKING:
    from pathlib import Path

    from services.publisher.order import Transcoded
    from tests.support.media.audio import Signal

NAMES = tuple(sorted({form.name for form in FORMATS.values()}))
LOSSLESS = ("aiff", "flac", "wav")
# Longest block that a coder fills up: AAC has 1024 frames, MP3 1152, Opus 960 of 48 kHz.
FRAME = 1152
TAGS = Tags(
    title="Füße & Co",
    artist="日本のバンド",
    album="Side A/B",
    isrc="GBAYE0000001",
    comment="first line\nsecond line",
)


def stereo(rate: int, seconds: float = 2.0) -> Signal:
    """Two tones that no one mistakes for each other, quieter on the right."""
    left, right = (
        tone(seconds, rate, hertz, level_db=db) for hertz, db in ((997, -12), (3001, -18))
    )
    return np.concatenate([left, right], axis=1)


@pytest.fixture(scope="module", params=[44_100, 96_000])
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Transcoded, dict[str, Path]]:
    path = tmp_path_factory.mktemp("published") / "master.wav"
    write_plain(path, stereo(request.param), request.param)
    return publish(path, *NAMES, tags=TAGS, cover=picture("png"))


@pytest.mark.parametrize("name", NAMES)
def test_it_sounds_as_the_master(published: tuple[Transcoded, dict[str, Path]], name: str) -> None:
    done, files = published
    found = heard(files[name])
    rendition = done.renditions[NAMES.index(name)]

    assert rendition.format == name
    assert found.rate == rendition.sample_rate == FORMATS[name].rate_for(done.sample_rate)
    assert found.samples.shape[1] == rendition.channels == 2
    assert found.seconds == pytest.approx(2.0, abs=0 if name in LOSSLESS else FRAME / found.rate)
    assert rendition.bit_depth == (24 if name in LOSSLESS else 0)
    for channel, (hertz, level) in enumerate(((997, -12), (3001, -18))):
        assert found.strongest_hertz(channel) == pytest.approx(hertz, abs=1)
        assert found.level_db(channel, hertz) == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_it_carries_tags_and_cover(
    published: tuple[Transcoded, dict[str, Path]], name: str
) -> None:
    found = heard(published[1][name])

    assert {key: found.tags.get(key) for key in ("title", "artist", "album", "comment")} == {
        "title": TAGS.title,
        "artist": TAGS.artist,
        "album": TAGS.album,
        "comment": TAGS.comment,
    }
    assert TAGS.isrc in {found.tags.get("isrc"), found.tags.get("tsrc")}
    assert found.cover == picture("png")


@pytest.mark.parametrize("name", NAMES)
def test_a_jpeg_is_a_cover_too_and_no_tag_is_needed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "master.wav"
    write_plain(path, stereo(48_000, 0.2), 48_000)

    assert heard(publish(path, name, cover=picture("mjpeg"))[1][name]).cover == picture("mjpeg")
    bare = heard(publish(path, name)[1][name])
    assert bare.cover == b""
    assert not {"title", "artist", "album", "comment", "isrc", "tsrc"} & set(bare.tags)


def test_vbr_follows_the_sound_and_cbr_does_not(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_plain(path, np.concatenate([stereo(44_100), noise(2.0, 44_100, 2)]), 44_100)

    done, files = publish(path, "mp3", "mp3-vbr")

    cbr, vbr = (_packet_sizes(files[name]) for name in ("mp3", "mp3-vbr"))
    assert max(cbr) - min(cbr) <= 1
    assert sum(cbr) * 8 / (done.frames / 44_100) == pytest.approx(320_000, rel=0.02)
    assert max(vbr) > 2 * min(vbr)


def _packet_sizes(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [each.size for each in container.demux(audio=0) if each.size][1:]


@pytest.mark.parametrize("depth", [16, 24])
@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_is_bit_for_bit(tmp_path: Path, name: str, depth: int, channels: int) -> None:
    path = tmp_path / "master.wav"
    write_plain(path, noise(0.5, 48_000, channels), 48_000, depth)

    done, files = publish(path, name)

    assert done.renditions[0].bit_depth == depth
    assert not done.mixed
    assert np.array_equal(heard(files[name]).samples, heard(path).samples)


@pytest.mark.parametrize("rate", [8_000, 22_050, 37_800, 176_400, 384_000])
def test_one_channel_of_any_rate_is_published_in_every_format(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "master.wav"
    write_plain(path, tone(0.5, rate, 997), rate, 16)

    done, files = publish(path, *NAMES)

    for rendition in done.renditions:
        found = heard(files[rendition.format])
        assert found.samples.shape[1] == rendition.channels == 1
        assert found.rate == rendition.sample_rate
        assert found.strongest_hertz(0) == pytest.approx(997, abs=3)


def test_flac_may_be_the_master(tmp_path: Path) -> None:
    path = tmp_path / "first.wav"
    write_plain(path, noise(0.5, 44_100, 2), 44_100, 24)
    _, first = publish(path, "flac")
    master = tmp_path / "master.flac"
    first["flac"].rename(master)

    _, files = publish(master, "wav", "mp3")

    assert np.array_equal(heard(files["wav"]).samples, heard(path).samples)


def test_the_same_master_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    path.write_bytes(wave(noise(0.5, 44_100, 6), 44_100, 16, layout="5.1"))
    assert publish(path, *NAMES)[0] == publish(path, *NAMES)[0]


def test_what_is_quieter_than_a_step_survives_as_dither(tmp_path: Path) -> None:
    """A centre of one step is 0.3 of one in the mix: plain rounding would leave silence."""
    signal = np.zeros((96_000, 6), np.float32)
    signal[:, [2]] = tone(2.0, 48_000, 997) * 10 * 2**-15
    path = tmp_path / "master.wav"
    path.write_bytes(wave(signal, 48_000, 16, layout="5.1"))

    _, files = publish(path, "wav")

    found = heard(files["wav"])
    expected = 20 * np.log10(2**-15 * np.sqrt(0.5) / (1 + np.sqrt(2)))
    assert found.level_db(0, 997) == pytest.approx(expected, abs=1.0)
    # What rounding would add is harmonics; dither makes noise of them.
    assert found.level_db(0, 3 * 997) < expected - 20


def test_floating_samples_are_dithered_to_24_bits(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    path.write_bytes(wave(tone(2.0, 48_000, 997) * 3 * 2**-23, 48_000, floating=True))

    done, files = publish(path, "flac")

    assert done.renditions[0].bit_depth == 24
    expected = 20 * np.log10(0.3 * 2**-23)
    assert heard(files["flac"]).level_db(0, 997) == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 192_000])
def test_loudness_is_that_of_libebur128(tmp_path: Path, rate: int, channels: int) -> None:
    loud = noise(3.0, rate, channels, -14.0)
    signal = np.concatenate([loud, noise(2.0, rate, channels, -40.0)])
    path = tmp_path / "master.wav"
    write_plain(path, signal, rate)

    done, files = publish(path, "wav")

    integrated, peak = _libebur128(heard(files["wav"]).samples, rate)
    assert done.loudness.integrated_lufs == pytest.approx(integrated, abs=0.1)
    assert done.loudness.true_peak_dbtp == pytest.approx(peak, abs=0.4)


def _libebur128(
    samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rate: int
) -> tuple[float, float]:
    mode = pyebur128.MeasurementMode
    state = pyebur128.R128State(samples.shape[1], rate, mode.MODE_I | mode.MODE_TRUE_PEAK)
    state.add_frames(np.ascontiguousarray(samples).reshape(-1), len(samples))
    integrated = pyebur128.get_loudness_global(state)
    peaks = [pyebur128.get_true_peak(state, each) for each in range(samples.shape[1])]
    return integrated, float(20 * np.log10(max(peaks)))


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_plain(path, np.zeros((48_000, 2), np.float32), 48_000)
    loudness = publish(path, "mp3")[0].loudness
    assert (loudness.integrated_lufs, loudness.true_peak_dbtp) == (None, None)
