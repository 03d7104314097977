"""ADM scenes become stereo: what is in a track is heard on its side, and as loud as it should."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest

from cli.demo.master import Spec, Wave, master, write_master
from services.publisher.errors import Code, TranscodeError
from tests.support.renditions import Heard, heard, publish

SAMPLE = Path(__file__).parents[4] / "shared" / "samples" / "dolby_adm_sample_0.wav"
AMPLITUDE = 0.03
# Of 5.1, by the sum of one side's gains.
SHARE = 1 / (1 + math.sqrt(2))
# The first tracks of a 7.1.2 bed, with the tones that the maker gives them.
LEFT, RIGHT, CENTRE, LFE, LEFT_SIDE, RIGHT_SIDE = 200, 210, 220, 40, 240, 250


def amplitude(sound: Heard, hertz: float, channel: int) -> float:
    """Return how loud a tone of whole tens of hertz is in a second of a channel."""
    line = sound.samples[-sound.rate :, channel]
    return float(2 * np.abs(np.fft.rfft(line))[round(hertz)] / len(line))


def test_each_side_of_a_bed_is_heard_on_its_side(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=0, seconds=1.0))

    done, files = publish(path, "wav")

    sound = heard(files["wav"])
    assert done.mixed
    assert (done.frames, done.sample_rate) == (48_000, 48_000)
    half = math.sqrt(0.5)
    expected = {LEFT: (1, 0), RIGHT: (0, 1), CENTRE: (half, half), LFE: (0, 0)}
    expected |= {LEFT_SIDE: (half, 0), RIGHT_SIDE: (0, half)}
    for hertz, gains in expected.items():
        got = [amplitude(sound, hertz, channel) / AMPLITUDE / SHARE for channel in (0, 1)]
        assert got == pytest.approx(gains, abs=0.01), hertz


def test_an_object_is_heard_where_its_path_ends(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=2.0))
    _, files = publish(path, "wav")
    before = [amplitude(heard(files["wav"]), 300, channel) for channel in (0, 1)]
    assert max(before) > AMPLITUDE * SHARE / 4

    made = master(Spec(objects=1, seconds=2.0))
    text = made.chunks["axml"].decode()
    for value in ("X", "Y"):
        text = _all_at(text, value, -1.0 if value == "X" else 1.0)
    made.with_chunk("axml", text.encode()).write(path)
    _, files = publish(path, "wav")
    after = [amplitude(heard(files["wav"]), 300, channel) for channel in (0, 1)]
    assert after == pytest.approx([AMPLITUDE * SHARE, 0], abs=AMPLITUDE / 100)


def _all_at(axml: str, axis: str, where: float) -> str:
    """Put every position of objects at one place."""
    head, mark, objects = axml.partition('typeLabel="0003"')
    parts = objects.split(f'<position coordinate="{axis}">')
    assert len(parts) > 1
    moved = [parts[0], *(f"{where}<{each.partition('<')[2]}" for each in parts[1:])]
    return head + mark + f'<position coordinate="{axis}">'.join(moved)


BROKEN = {
    "no axml": lambda made: made.with_chunk("axml", None),
    "XML that is none": lambda made: made.with_chunk("axml", b"<frame><a></frame>"),
    "no place for any track": lambda made: made.with_chunk("axml", b"<ebuCoreMain/>"),
    "chna cut off": lambda made: made.with_chunk("chna", struct.pack("<HH", 2, 2) + bytes(40)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_metadata_that_cannot_be_followed_have_a_code(tmp_path: Path, name: str) -> None:
    path = tmp_path / "master.wav"
    broken: Wave = BROKEN[name](master(Spec(objects=1, seconds=0.5)))
    broken.write(path)
    with pytest.raises(TranscodeError) as caught:
        publish(path, "mp3")
    assert caught.value.code is Code.ADM_UNREADABLE
    assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize("sample", [SAMPLE] if SAMPLE.is_file() else [])
def test_a_real_master_is_published(tmp_path: Path, sample: Path) -> None:
    path = tmp_path / "master"
    path.write_bytes(sample.read_bytes())
    done, files = publish(path, "mp3", "aiff")
    assert done.mixed
    assert len(heard(files["aiff"]).samples) == done.frames
    assert heard(files["mp3"]).seconds == pytest.approx(done.frames / done.sample_rate, abs=0.1)
