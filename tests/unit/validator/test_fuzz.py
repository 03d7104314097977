"""Whatever the bytes are, an inspection ends with a report."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.demo.master import Spec, master
from tests.fuzz.readers.targets import report_on
from tests.support.media import ac4, mp4, mpeg_ts, truehd
from tests.support.media.eac3 import joc_frames, joc_mp4

RAW_FRAMES = 4


@cache
def valid_files() -> tuple[bytes, ...]:
    frames = joc_frames(RAW_FRAMES)
    fragments = mp4.fragmented(mp4.Track(frames=frames, config=mp4.dec3()), per_fragment=2)
    waves = [_wave(form) for form in ("RIFF", "RF64", "BW64")]
    streams = [ac4.mp4_file(), truehd.mp4_file(), truehd.raw_file()]
    carried = mpeg_ts.transport_stream(mpeg_ts.Stream(frames=frames))
    return (*waves, joc_mp4(frames), fragments, b"".join(frames), *streams, carried)


def _wave(form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "master")
        master(Spec(form=form, objects=1, seconds=0.002)).write(path)
        return path.read_bytes()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(valid_files())))
    # Structures sit at the ends: look there as often as in the middle.
    place = st.integers(0, len(data) - 1) | st.integers(0, 200) | st.integers(-1500, -1)
    for at, value in draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=8)):
        data[at % len(data)] = value
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@settings(max_examples=300, deadline=None)
@given(damaged())
def test_damage_gives_a_report(data: bytes) -> None:
    report_on(data)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"RIFF", b"BW64", b"\0\0\0\x18ftyp", b"\x0b\x77", b"<"]), st.binary())
def test_junk_is_refused(start: bytes, junk: bytes) -> None:
    assert not report_on(start + junk).accepted


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(range(7)), st.data())
def test_no_shortened_file_is_accepted(index: int, data: st.DataObject) -> None:
    whole = valid_files()[index]
    # The last bytes of a wave file may be a pad byte and the padding of dbmd.
    cut = whole[: data.draw(st.integers(0, len(whole) - 8))]
    frame = len(joc_frames(RAW_FRAMES)[0])
    whole_frames = index == 5 and len(cut) % frame == 0 and len(cut) > 0
    assert report_on(cut).accepted == whole_frames
