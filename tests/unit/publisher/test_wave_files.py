"""Headers of wave files, read where FFmpeg is silent, and written where its muxer is."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import av
import pytest

from services.publisher.appending import FileTooLarge, append_id3, append_isrc
from services.publisher.formats import FORMATS
from services.publisher.order import Order, Tags
from services.publisher.riff import WaveFacts, wave_facts
from services.publisher.transcode import transcode
from tests.support.media.audio import noise
from tests.support.renditions import chunk, publish, wave

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
SOUND = noise(0.1, 48_000, 2)
PLAIN = wave(SOUND, 48_000)


def facts(data: bytes) -> WaveFacts | None:
    return wave_facts(io.BytesIO(data))


def large(kind: bytes, size: int, there: int, folder: Path) -> WaveFacts | None:
    """Read the header of a file of that many bytes of sound, of which some are there."""
    head = kind + b"\xff\xff\xff\xffWAVE"
    head += chunk(b"ds64", struct.pack("<QQQI", size + 72, size, size // 6, 0))
    head += PLAIN[12:36] + b"data\xff\xff\xff\xff"
    path = folder / "large.wav"
    with path.open("w+b") as file:
        file.write(head)
        file.truncate(len(head) + there)
        return wave_facts(file)


def test_a_whole_file_says_nothing() -> None:
    assert facts(PLAIN) == WaveFacts(missing=0, scene=False)
    assert facts(PLAIN + chunk(b"LIST", b"odd")) == WaveFacts(missing=0, scene=False)
    assert facts(b"RIFF\0\0\0\0AVI ") is None
    assert facts(b"fLaC") is None


def test_what_is_missing_is_counted() -> None:
    assert facts(PLAIN[:-100]) == WaveFacts(missing=100, scene=False)


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
def test_what_is_missing_of_a_large_file_is_counted(kind: bytes, tmp_path: Path) -> None:
    assert large(kind, 5 * GIB, 5 * GIB, tmp_path) == WaveFacts(missing=0, scene=False)
    assert large(kind, 5 * GIB, 4 * GIB, tmp_path) == WaveFacts(missing=GIB, scene=False)


def test_a_scene_is_seen_before_and_behind_the_sound() -> None:
    scene = chunk(b"chna", bytes(44))
    assert facts(wave(SOUND, 48_000, more=scene)) == WaveFacts(missing=0, scene=True)
    assert facts(PLAIN + scene) == WaveFacts(missing=0, scene=True)


def test_a_size_that_nobody_knew_is_what_there_is(tmp_path: Path) -> None:
    size = struct.pack("<I", len(SOUND) * 6)
    piped = PLAIN.replace(b"data" + size, b"data\xff\xff\xff\xff")
    assert facts(piped) == WaveFacts(missing=0, scene=False)
    path = tmp_path / "master.wav"
    path.write_bytes(piped)
    assert publish(path, "flac")[0].frames == len(SOUND)


def test_a_flood_of_chunks_is_read_no_further() -> None:
    flood = chunk(b"junk", b"") * 10_000
    assert facts(wave(SOUND, 48_000, more=flood)) == WaveFacts(missing=0, scene=False)
    assert facts(wave(SOUND, 48_000, more=flood) + chunk(b"chna", b"")) == (0, False)


@pytest.mark.parametrize("name", ["wav", "aiff"])
@pytest.mark.parametrize("tag", [b"ID3" + bytes(30), b"ID3" + bytes(31)])
def test_an_appended_chunk_is_counted(name: str, tag: bytes) -> None:
    order = {"wav": "<", "aiff": ">"}[name]
    file = io.BytesIO(b"FORM" + bytes(4) + b"odd")
    append_id3(file, tag, FORMATS[name])
    data = file.getvalue()
    assert struct.unpack(f"{order}I", data[4:8])[0] == len(data) - 8
    assert len(data) % 2 == 0
    at = data.lower().index(b"id3 ")
    assert at == 12
    assert data[at + 8 :][: struct.unpack(f"{order}I", data[at + 4 : at + 8])[0]] == tag


def test_the_size_of_a_large_file_is_where_rf64_has_it() -> None:
    file = io.BytesIO(b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", bytes(28)))
    append_id3(file, b"ID3" + bytes(7), FORMATS["wav"])
    data = file.getvalue()
    assert data[4:8] == b"\xff\xff\xff\xff"
    assert struct.unpack("<Q", data[20:28])[0] == len(data) - 8


@pytest.mark.parametrize(("name", "limit"), [("wav", 4 * GIB), ("aiff", 2 * GIB)])
def test_a_tag_that_the_header_cannot_count_is_too_much(
    tmp_path: Path, name: str, limit: int
) -> None:
    with (tmp_path / "hole").open("w+b") as file:
        file.truncate(limit - 100)
        with pytest.raises(FileTooLarge):
            append_id3(file, bytes(100), FORMATS[name])
        file.truncate(limit - 1000)
        append_id3(file, bytes(100), FORMATS[name])


def test_an_isrc_goes_nowhere_but_into_the_list_at_the_end() -> None:
    with pytest.raises(ValueError, match="there is no b'moov'"):
        append_isrc(io.BytesIO(bytes.fromhex("0000000866726565")), "GBAYE0000001")
    with pytest.raises(ValueError, match="b'moov' is not the last box"):
        append_isrc(io.BytesIO(b"\0\0\0\x08moov\0\0\0\x08free"), "GBAYE0000001")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_masters_and_renditions_of_more_than_four_gigabytes(tmp_path: Path) -> None:
    """Hours of silence, none of it on the disk of the master."""
    frames = 800_000_000
    path, output = tmp_path / "master.wav", tmp_path / "out.wav"
    assert large(b"BW64", frames * 6, frames * 6, tmp_path) is not None
    (tmp_path / "large.wav").rename(path)
    with output.open("w+b") as file:
        order = Order(formats=("wav",), tags=Tags(isrc="GBAYE0000001"))
        done = transcode(path, order, [file], lambda *_: None)
        assert wave_facts(file) == WaveFacts(missing=0, scene=False)
    assert done.frames == frames
    assert done.renditions[0].size_bytes > 4 * GIB
    assert heard_tags(output)["tsrc"] == "GBAYE0000001"


def heard_tags(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {name.lower(): text for name, text in container.metadata.items()}
