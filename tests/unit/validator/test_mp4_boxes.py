"""MP4 boxes: no size, count or place is believed, and each form of a box is read."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from services.validator.formats import iso_video, mp4
from services.validator.formats.mp4 import Box, BoxFile
from shared.adm.source import FormatError, open_source
from tests.support.media.eac3 import joc_frames
from tests.support.media.mp4 import Track, box, dec3, fragmented, full, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shared.adm.source import Source

    Open = Callable[[bytes], Source]

JOC = joc_frames()
PLAIN = plain(Track(frames=JOC, config=dec3()))
EMPTY = fragmented(Track(frames=(), config=dec3()))


@pytest.fixture
def open_bytes(tmp_path: Path) -> Iterator[Open]:
    """Give a source over bytes, one at a time."""
    with ExitStack() as opened:

        def make(data: bytes) -> Source:
            path = tmp_path / "file"
            path.write_bytes(data)
            return opened.enter_context(open_source(path))

        yield make


def _replaced(old: bytes, new: bytes, data: bytes = PLAIN) -> bytes:
    assert data.count(old) == 1
    return data.replace(old, new)


def _track(source: Source) -> mp4.Track:
    track = mp4.read_mp4(source).audio()
    assert track is not None
    return track


@pytest.mark.parametrize(
    "head",
    [
        *(pytest.param(struct.pack(">I4s", size, b"free"), id=str(size)) for size in range(2, 8)),
        *(
            pytest.param(struct.pack(">I4sQ", 1, b"free", size), id=f"64-bit {size}")
            for size in (0, 8, 15)
        ),
    ],
)
def test_a_box_holds_its_header(head: bytes, open_bytes: Open) -> None:
    file = BoxFile(open_bytes(box("ftyp") + head + bytes(20)))
    with pytest.raises(FormatError, match="'free' box says") as caught:
        list(mp4.boxes(file, 0, file.size))
    assert caught.value.offset == 8


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(box("free"), Box("free", 8, 8), id="nothing in it"),
        pytest.param(struct.pack(">I4sQ", 1, b"free", 16), Box("free", 16, 16), id="64-bit size"),
        pytest.param(
            struct.pack(">I4sQ", 1, b"free", 1 << 40), Box("free", 16, 1 << 40), id="a tebibyte"
        ),
        pytest.param(struct.pack(">I4s9x", 0, b"mdat"), Box("mdat", 8, 17), id="to the end"),
        pytest.param(box("free") + bytes(7), Box("free", 8, 8), id="less than a header behind"),
    ],
)
def test_a_box_says_where_it_ends(data: bytes, expected: Box, open_bytes: Open) -> None:
    file = BoxFile(open_bytes(data))
    assert list(mp4.boxes(file, 0, file.size)) == [expected]


@pytest.mark.parametrize("read", [mp4.read_mp4, iso_video.read_movie])
def test_boxes_are_counted_in_the_whole_file(
    read: Callable[[Source], object], open_bytes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are nested: no level has more than four boxes here."""
    monkeypatch.setattr(mp4, "MAX_BOXES", 60)
    read(open_bytes(PLAIN))
    monkeypatch.setattr(mp4, "MAX_BOXES", 6)
    with pytest.raises(FormatError, match="More boxes than any real file has"):
        read(open_bytes(PLAIN))


def test_a_box_stays_in_its_parent_and_in_the_file(open_bytes: Open) -> None:
    inside = box("aaaa", box("bbbb", bytes(4)))
    file = BoxFile(open_bytes(inside + bytes(30)))
    assert [each.kind for each in mp4.inner(file, Box("aaaa", 8, 20))] == ["bbbb"]
    with pytest.raises(FormatError, match="leaves its 'aaaa'"):
        list(mp4.inner(file, Box("aaaa", 8, 19)))
    ends = BoxFile(open_bytes(box("bbbb") + bytes(4)))
    assert list(mp4.inner(ends, Box("aaaa", 0, 1 << 40))) == [Box("bbbb", 8, 8)]


@pytest.mark.parametrize("kind", ["mvhd", "hdlr", "tkhd", "mdhd", "stbl", "stsd", "stts", "stco"])
def test_a_box_that_is_needed_is_missed(kind: str, open_bytes: Open) -> None:
    with pytest.raises(FormatError, match=r"missing|has no sample"):
        mp4.read_mp4(open_bytes(_replaced(kind.encode(), b"free")))


@pytest.mark.parametrize(
    ("kind", "length"), [("mvhd", 19), ("hdlr", 11), ("tkhd", 23), ("mdhd", 16), ("stts", 7)]
)
def test_a_box_that_is_too_short_is_refused(kind: str, length: int, open_bytes: Open) -> None:
    """What is left of its place is a box of its own."""
    at = PLAIN.index(kind.encode()) - 4
    size = int.from_bytes(PLAIN[at : at + 4])
    rest = struct.pack(">I4s", size - length - 8, b"free")
    cut = struct.pack(">I", length + 8) + PLAIN[at + 4 : at + 8 + length] + rest
    with pytest.raises(FormatError, match=f"'{kind}' box has {length} bytes"):
        mp4.read_mp4(open_bytes(PLAIN[:at] + cut + PLAIN[at + len(cut) :]))


def test_a_sample_description_is_not_empty(open_bytes: Open) -> None:
    at = PLAIN.index(b"stsd")
    size = int.from_bytes(PLAIN[at - 4 : at])
    empty = struct.pack(">I4s8x", 16, b"stsd") + box("free", bytes(size - 24))
    with pytest.raises(FormatError, match="empty"):
        mp4.read_mp4(open_bytes(PLAIN[: at - 4] + empty + PLAIN[at - 4 + size :]))


def test_headers_of_version_1_have_longer_times(open_bytes: Open) -> None:
    head = struct.pack(">B3x", 1)
    movie = box(
        "moov",
        box("mvhd", head, struct.pack(">QQIQ", 0, 0, 1000, 5)),
        box(
            "trak",
            box("tkhd", head, struct.pack(">QQIIQ", 0, 0, 7, 0, 5)),
            box(
                "edts",
                box("elst", head, struct.pack(">IQqI", 1, 1 << 33, -1, 0x10000)),
            ),
            box(
                "mdia",
                box("mdhd", head, struct.pack(">QQIQ", 0, 0, 44_100, 1 << 33)),
                full("hdlr", bytes(4), b"text", bytes(13)),
                box("minf", box("stbl")),
            ),
        ),
    )
    (track,) = mp4.read_mp4(open_bytes(movie)).tracks
    assert (track.number, track.timescale, track.duration) == (7, 44_100, 1 << 33)
    assert track.edits == (((1 << 33) / 1000, -1),)


def test_edits_are_bounded_and_need_a_time_scale(open_bytes: Open) -> None:
    edits = Track(frames=JOC, config=dec3(), edits=((1, 0),) * 1030)
    data = plain(edits)
    assert len(_track(open_bytes(data)).edits) == 1024
    at = data.index(b"mvhd") + 16
    assert _track(open_bytes(data[:at] + bytes(4) + data[at + 4 :])).edits == ()


def test_a_track_that_is_no_sound_needs_no_tables(open_bytes: Open) -> None:
    silent = _replaced(b"soun", b"text").replace(b"stsd", b"free").replace(b"stts", b"free")
    assert mp4.read_mp4(open_bytes(silent)).audio() is None


@pytest.mark.parametrize("length", [4, 3])
def test_the_codec_under_an_encryption_is_read(length: int, open_bytes: Open) -> None:
    sinf = box("sinf", box("frma", b"ec-3"[:length]))
    source = open_bytes(plain(Track(frames=JOC, codec="enca", config=sinf)))
    if length == 4:
        assert _track(source).original == "ec-3"
    else:
        with pytest.raises(FormatError, match="'frma' box has 3 bytes"):
            mp4.read_mp4(source)


def test_no_more_is_kept_of_a_codec_s_box_than_it_can_have(open_bytes: Open) -> None:
    track = _track(open_bytes(plain(Track(frames=JOC, config=box("dec3", bytes(9000))))))
    assert len(track.config["dec3"]) == 4096


def _tables(sizes: bytes, chunks: bytes, runs: tuple[int, ...] = (1, 2, 1)) -> bytes:
    """Return a sound track without a codec of its own, its samples in these tables."""
    count = len(runs) // 3
    stbl = box(
        "stbl",
        full("stsd", struct.pack(">I", 1), box("ec-3", bytes(28))),
        full("stts", struct.pack(">3I", 1, 3, 1536)),
        full("stsc", struct.pack(f">I{len(runs)}I", count, *runs)),
        sizes,
        chunks,
    )
    return box(
        "trak",
        full("tkhd", bytes(80)),
        box(
            "mdia",
            full("mdhd", bytes(20)),
            full("hdlr", bytes(4), b"soun", bytes(13)),
            box("minf", stbl),
        ),
    )


def _movie(*traks: bytes) -> bytes:
    return box("moov", full("mvhd", bytes(96)), *traks)


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(full("stco", struct.pack(">3I", 2, 50, 90)), id="stco"),
        pytest.param(full("co64", struct.pack(">I2Q", 2, 50, 90)), id="co64"),
    ],
)
@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(full("stsz", struct.pack(">2I", 10, 3)), id="one size"),
        pytest.param(full("stsz", struct.pack(">5I", 0, 3, 10, 10, 10)), id="a size each"),
    ],
)
def test_samples_lie_one_after_the_other_in_their_chunks(
    sizes: bytes, chunks: bytes, open_bytes: Open
) -> None:
    track = _track(open_bytes(_movie(_tables(sizes, chunks))))
    assert list(track.samples()) == [(50, 10), (60, 10), (90, 10)]


@pytest.mark.parametrize(
    ("count", "runs", "words"),
    [
        pytest.param(4, (1, 2, 1), "'stsz' box announces 4", id="a size too few"),
        pytest.param(3, (1, 1, 1), "3 samples have a size, 2 have a place", id="no place"),
        pytest.param(3, (2, 2, 1), "out of order", id="not from the first chunk"),
        pytest.param(3, (1, 2, 1, 1, 2, 1), "out of order", id="a chunk twice"),
        pytest.param(3, (1, 2, 1, 3, 1, 1, 2, 1, 1), "out of order", id="back again"),
    ],
)
def test_tables_that_disagree_are_refused(
    count: int, runs: tuple[int, ...], words: str, open_bytes: Open
) -> None:
    sizes = full("stsz", struct.pack(">5I", 0, count, 10, 10, 10))
    chunks = full("stco", struct.pack(">3I", 2, 50, 90))
    with pytest.raises(FormatError, match=words):
        mp4.read_mp4(open_bytes(_movie(_tables(sizes, chunks, runs))))


def test_samples_are_counted_in_all_tracks_together(
    open_bytes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of one size costs no byte in the file, whatever it counts."""
    sizes, chunks = (
        full("stsz", struct.pack(">2I", 10, 3)),
        full("stco", struct.pack(">3I", 2, 5, 9)),
    )
    two = _movie(*[_tables(sizes, chunks)] * 2)
    monkeypatch.setattr(mp4, "MAX_SAMPLES", 6)
    assert len(mp4.read_mp4(open_bytes(two)).tracks) == 2
    monkeypatch.setattr(mp4, "MAX_SAMPLES", 5)
    with pytest.raises(FormatError, match="more than any real track"):
        mp4.read_mp4(open_bytes(two))


def test_a_table_that_lacks_one_byte_is_refused(open_bytes: Open) -> None:
    sizes = full("stsz", struct.pack(">2I", 10, 3))
    chunks = full("stco", struct.pack(">3I", 2, 50, 90)[:-1])
    with pytest.raises(FormatError, match="'stco' box announces 2"):
        mp4.read_mp4(open_bytes(_movie(_tables(sizes, chunks))))


def test_the_defaults_of_a_track_have_all_their_fields(open_bytes: Open) -> None:
    movie = _movie(box("mvex", full("trex", bytes(16))))
    with pytest.raises(FormatError, match="'trex' box has 20 bytes"):
        mp4.read_mp4(open_bytes(movie))


def test_bytes_behind_a_run_s_samples_are_left_out(open_bytes: Open) -> None:
    run = full("trun", struct.pack(">2I", 1, 9) + b"odd", flags=0x200)
    track = _track(open_bytes(_fragment(full("tfhd", b"\0\0\0\1"), run)))
    assert list(track.sizes) == [9]


def _fragment(header: bytes, run: bytes) -> bytes:
    """Return an empty movie and a fragment of one run."""
    return EMPTY + box("moof", box("traf", header, run))


@pytest.mark.parametrize(
    ("flags", "fields", "run", "expected"),
    [
        pytest.param(0, b"", (0, 2), [(0, 0), (0, 0)], id="defaults of the track"),
        pytest.param(0x10, (9,), (0, 2), [(0, 9), (9, 9)], id="size"),
        pytest.param(0x1, (0, 700), (0, 1), [(700, 0)], id="base"),
        pytest.param(0x2, (1,), (0, 1), [(0, 0)], id="description"),
        pytest.param(0x1A, (1, 99, 9), (0, 2), [(0, 9), (9, 9)], id="all but the base"),
        pytest.param(0x1, (0, 700), (0x1, 1, -100), [(600, 0)], id="backwards"),
        pytest.param(0, (), (0x205, 1, 50, 99, 9), [(50, 9)], id="flags of the first"),
        pytest.param(0, (), (0x300, 2, 5, 10, 6, 20), [(0, 10), (10, 20)], id="times and sizes"),
    ],
)
def test_each_form_of_a_run_is_read(
    flags: int,
    fields: tuple[int, ...],
    run: tuple[int, ...],
    expected: list[tuple[int, int]],
    open_bytes: Open,
) -> None:
    """A place that nothing says is the fragment's own start."""
    header = full("tfhd", struct.pack(f">I{len(fields)}I", 1, *fields), flags=flags)
    trun = full("trun", struct.pack(f">{len(run) - 1}i", *run[1:]), flags=run[0])
    track = _track(open_bytes(_fragment(header, trun)))
    start = 0 if flags & 0x1 else len(EMPTY)
    assert list(track.samples()) == [(start + offset, size) for offset, size in expected]
    times = {0x8: 99 * len(expected), 0: 1536 * len(expected)}[flags & 0x8]
    assert track.timed == (11 if run[0] & 0x100 else times)
    assert track.timed_samples == len(expected)


@pytest.mark.parametrize(
    ("header", "run", "words"),
    [
        pytest.param((1, 0, 9), (0x1, 1, -10), "cut off", id="before the file"),
        pytest.param((1,), (0x200, 2, 9), "cut off", id="a size missing"),
    ],
)
def test_a_run_that_leads_nowhere_is_refused(
    header: tuple[int, ...], run: tuple[int, ...], words: str, open_bytes: Open
) -> None:
    flags = 0x1 if len(header) > 1 else 0
    tfhd = full("tfhd", struct.pack(f">{len(header)}I", *header), flags=flags)
    trun = full("trun", struct.pack(f">{len(run) - 1}i", *run[1:]), flags=run[0])
    with pytest.raises(FormatError, match=words):
        mp4.read_mp4(open_bytes(_fragment(tfhd, trun)))


@pytest.mark.parametrize(
    ("header", "run"),
    [
        pytest.param(full("tfhd"), full("trun", bytes(4)), id="tfhd"),
        pytest.param(full("tfhd", b"\0\0\0\1"), full("trun"), id="trun"),
    ],
)
def test_a_box_of_a_fragment_has_its_fields(header: bytes, run: bytes, open_bytes: Open) -> None:
    with pytest.raises(FormatError, match="box has 4 bytes"):
        mp4.read_mp4(open_bytes(_fragment(header, run)))


def test_fragments_of_other_tracks_are_left_out(open_bytes: Open) -> None:
    run = full("trun", struct.pack(">I", 1))
    stranger = _fragment(full("tfhd", b"\0\0\0\2"), run)
    assert len(_track(open_bytes(stranger)).sizes) == 0
    text = _replaced(b"soun", b"text", _fragment(full("tfhd", b"\0\0\0\1"), run))
    assert [len(track.sizes) for track in mp4.read_mp4(open_bytes(text)).tracks] == [0]
