"""Readers of containers: bounded whatever a file claims, exact where a specification is."""

from __future__ import annotations

import io
import os
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest

from services.validator.formats import eac3, framing, mp4, mp4_samples, mpeg_ts, pes
from services.validator.formats.kinds import Kind
from services.validator.formats.recognise import recognise
from services.validator.formats.recognise_ts import choose
from shared.adm.source import FormatError, Source
from tests.support.media import mp4 as make_mp4
from tests.support.media import mpeg_ts as make_ts
from tests.support.media.eac3 import joc_frames, plain_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOC = joc_frames()


@pytest.fixture
def open_bytes(tmp_path: Path) -> Iterator[Callable[[bytes], Source]]:
    """Give a source over bytes."""
    opened: list[int] = []

    def make(data: bytes) -> Source:
        path = tmp_path / f"file{len(opened)}"
        path.write_bytes(data)
        opened.append(os.open(path, os.O_RDONLY))
        return Source(opened[-1])

    yield make
    for descriptor in opened:
        os.close(descriptor)


def _cut(data: bytes, size: int) -> list[tuple[int, bytes]]:
    """Return pieces of a few bytes, each with an offset that is ten times too high."""
    return [(10 * at, data[at : at + size]) for at in range(0, len(data), size)]


def _framed(parts: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return list(framing.frames(parts, eac3.HEADER_BYTES, eac3.frame_size))


@pytest.mark.parametrize("size", [1, 5, 184, 1564, 1565, 1 << 20])
def test_frames_are_put_together_from_any_pieces(size: int) -> None:
    found = _framed(_cut(b"".join(JOC), size))
    assert [data for _, data in found] == list(JOC)
    starts = [sum(map(len, JOC[:index])) for index in range(len(JOC))]
    assert [at for at, _ in found] == [10 * (at // size * size) + at % size for at in starts]


def test_a_frame_without_a_head_is_said_where() -> None:
    with pytest.raises(FormatError, match="No sync word") as caught:
        _framed([(500, JOC[0] + b"\x0b\x78" + bytes(99))])
    assert caught.value.offset == 500 + len(JOC[0])


def test_a_frame_that_ends_too_early_is_said_where() -> None:
    with pytest.raises(FormatError, match="cut off after 100 bytes") as caught:
        _framed([(0, JOC[0]), (9000, JOC[1][:100])])
    assert caught.value.offset == 9000


@pytest.mark.parametrize("size", [0, 6, framing.MAX_FRAME_BYTES + 1])
def test_no_frame_is_believed_to_be_empty_or_endless(size: int) -> None:
    with pytest.raises(FormatError, match="cannot have"):
        list(framing.frames([(0, bytes(20))], 6, lambda _: size))


def _patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new, 1)


def test_runs_follow_each_other_in_a_fragment(open_bytes: Callable[[bytes], Source]) -> None:
    track = make_mp4.Track(frames=JOC, config=make_mp4.dec3(), per_run=1)
    source = open_bytes(make_mp4.fragmented(track))
    read = mp4.read_mp4(source).audio()
    assert read is not None
    assert tuple(source.read(*place) for place in read.samples()) == JOC
    assert (read.timed_samples, read.timed) == (8, 8 * 1536)


def test_a_run_of_billions_of_samples_is_refused(open_bytes: Callable[[bytes], Source]) -> None:
    """A run without sizes of its own costs no byte in the file, whatever it counts."""
    moov = make_mp4.fragmented(make_mp4.Track(frames=(), config=make_mp4.dec3()))
    run = make_mp4.full("trun", struct.pack(">I", 0xFFFFFFF0))
    header = make_mp4.full("tfhd", struct.pack(">2I", 1, 64), flags=0x20010)
    moof = make_mp4.box("moof", make_mp4.box("traf", header, run))
    with pytest.raises(FormatError, match="more than any real track"):
        mp4.read_mp4(open_bytes(moov + moof))


def test_many_runs_are_counted_together(
    open_bytes: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mp4, "MAX_SAMPLES", 7)
    track = make_mp4.Track(frames=JOC, config=make_mp4.dec3(), per_run=2)
    with pytest.raises(FormatError, match="more than any real track"):
        mp4.read_mp4(open_bytes(make_mp4.fragmented(track)))


def test_a_fragment_past_any_file_is_refused(open_bytes: Callable[[bytes], Source]) -> None:
    moov = make_mp4.fragmented(make_mp4.Track(frames=(), config=make_mp4.dec3()))
    run = make_mp4.full("trun", struct.pack(">2I", 1, 9), flags=0x200)
    header = make_mp4.full("tfhd", struct.pack(">IQ", 1, (1 << 64) - 1), flags=0x1)
    moof = make_mp4.box("moof", make_mp4.box("traf", header, run))
    with pytest.raises(FormatError, match="cut off"):
        mp4.read_mp4(open_bytes(moov + moof))


def test_chunks_past_any_file_are_refused(open_bytes: Callable[[bytes], Source]) -> None:
    plain = make_mp4.plain(make_mp4.Track(frames=JOC, config=make_mp4.dec3()))
    at = plain.index(b"stco")
    wide = plain[: at - 4] + make_mp4.full("co64", struct.pack(">IQ", 1, 1 << 63))
    grown = _grown(wide + plain[at + 16 :], 4)
    with pytest.raises(FormatError, match="past the end"):
        mp4.read_mp4(open_bytes(grown))


def _grown(data: bytes, more: int) -> bytes:
    """Return a file whose boxes around the chunk table are longer by a few bytes."""
    result = bytearray(data)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        at = result.index(kind) - 4
        result[at : at + 4] = (int.from_bytes(result[at : at + 4]) + more).to_bytes(4)
    return bytes(result)


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param((1, 8, 1, 1, 8, 1), id="the same chunk again"),
        pytest.param((2, 8, 1), id="not from the first"),
        pytest.param((), id="none"),
        pytest.param((9, 1, 1, 1, 8, 1), id="backwards"),
    ],
)
def test_runs_of_chunks_only_go_forward(
    runs: tuple[int, ...], open_bytes: Callable[[bytes], Source]
) -> None:
    table = make_mp4.box(
        "stbl",
        make_mp4.full("stsz", struct.pack(">2I", 10, 8)),
        make_mp4.full("stts", struct.pack(">3I", 1, 8, 1)),
        make_mp4.full("stsc", struct.pack(f">I{len(runs)}I", len(runs) // 3, *runs)),
        make_mp4.full("stco", struct.pack(">2I", 1, 0)),
    )
    source = mp4.BoxFile(open_bytes(table))
    with pytest.raises(FormatError, match="out of order"):
        mp4_samples.read_sample_table(source, mp4.Box("stbl", 8, len(table)), mp4.Track())


def test_a_second_track_of_atmos_is_found(open_bytes: Callable[[bytes], Source]) -> None:
    aac = make_mp4.plain(make_mp4.Track(frames=(b"a",), codec="mp4a"))
    joc = make_mp4.plain(make_mp4.Track(frames=JOC, config=make_mp4.dec3()))
    read = mp4.read_mp4(open_bytes(aac + joc)).audio()
    assert read is not None
    assert read.codec == "ec-3"


def test_edits_are_read(open_bytes: Callable[[bytes], Source]) -> None:
    edits = ((4800, -1), (48_000, 256))
    track = make_mp4.Track(frames=JOC, config=make_mp4.dec3(), edits=edits)
    read = mp4.read_mp4(open_bytes(make_mp4.plain(track))).audio()
    assert read is not None
    assert read.edits == ((0.1, -1), (1.0, 256))


def _sound(source: Source) -> tuple[bytes, mpeg_ts.TransportStream]:
    layout = mpeg_ts.find_layout(source.peek(0, 4096))
    assert layout is not None
    chosen = choose(mpeg_ts.read_programme(source, layout))
    assert chosen is not None
    stream = mpeg_ts.TransportStream(source.size, layout)
    return b"".join(data for _, data in pes.elementary(source, stream, chosen[0].pid)), stream


@pytest.mark.parametrize("codec", ["eac3", "ac3"])
def test_a_stream_of_ffmpeg_is_read(codec: str, open_bytes: Callable[[bytes], Source]) -> None:
    frames = plain_frames(codec=codec)
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream(codec, rate=48_000, layout="5.1")
        for index, frame in enumerate(frames):
            packet = av.Packet(frame)
            packet.pts = packet.dts = index * 1536
            packet.time_base, packet.stream = Fraction(1, 48_000), stream
            container.mux(packet)
    sound, found = _sound(open_bytes(file.getvalue()))
    assert sound == b"".join(frames)
    assert (found.gaps, found.damaged, found.scrambled) == ([], [], [])


@pytest.mark.parametrize("optional", [0, 5, 180, 250])
def test_a_pes_head_may_go_on_in_the_next_packet(
    optional: int, open_bytes: Callable[[bytes], Source]
) -> None:
    made = make_ts.Stream(frames=JOC, optional=bytes(optional))
    sound, _ = _sound(open_bytes(make_ts.transport_stream(made)))
    assert sound == b"".join(JOC)


def test_the_core_of_a_blu_ray_is_left_out(open_bytes: Callable[[bytes], Source]) -> None:
    made = make_ts.Stream(frames=(b"truehd" * 99,) * 4, core=(b"ac-3" * 99,) * 4)
    sound, stream = _sound(open_bytes(make_ts.transport_stream(made)))
    assert sound == b"truehd" * 396
    assert stream.gaps == []


def test_a_repeated_packet_is_taken_once(open_bytes: Callable[[bytes], Source]) -> None:
    data = make_ts.transport_stream(make_ts.Stream(frames=JOC))
    again = data[: 188 * 11] + data[188 * 10 :]
    sound, stream = _sound(open_bytes(again))
    assert (sound, stream.gaps) == (b"".join(JOC), [])


def test_a_lost_packet_is_a_gap(open_bytes: Callable[[bytes], Source]) -> None:
    data = make_ts.transport_stream(make_ts.Stream(frames=JOC))
    _, stream = _sound(open_bytes(data[: 188 * 10] + data[188 * 11 :]))
    assert stream.gaps == [188 * 10]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (make_ts.EAC3, Kind.EAC3),
        (make_ts.EAC3_DVB, Kind.EAC3),
        ((0x06, b"\x05\x04EAC3"), Kind.EAC3),
        ((0x84, b""), Kind.EAC3),
        (make_ts.AC4_DVB, Kind.AC4),
        ((0x06, b"\x05\x04AC-4"), Kind.AC4),
        (make_ts.TRUEHD, Kind.TRUEHD),
    ],
)
def test_a_stream_is_known_by_type_and_descriptor(
    kind: tuple[int, bytes], expected: Kind, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(make_ts.transport_stream(make_ts.Stream(frames=(bytes(300),), kind=kind)))
    assert recognise(path).kind is expected
    assert recognise(path).container == "MPEG-TS"
