"""The readers: bounded whatever a file claims, exact where a specification is."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from services.validator.formats import crc16, dec3, eac3, emdf, mp4
from services.validator.formats.bits import BitReader
from services.validator.formats.recognise import Kind, recognise
from shared.adm import axml, chna, riff
from shared.adm.riff import Chunk
from shared.adm.source import MAX_READ_BYTES, FormatError, Source, open_source
from tests.support.media import mp4 as make_mp4
from tests.support.media.bits import Bits
from tests.support.media.eac3 import Joc, joc_frames, oamd, plain_frames, remainder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROOT = b'<a xmlns="urn:ebu:metadata-schema:ebuCore_2016"><audioFormatExtended>%s'
END = b"</audioFormatExtended></a>"


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


def read_xml(source: Source) -> axml.Adm:
    return axml.read_axml(source, Chunk("axml", 0, source.size))


def test_a_source_reads_no_more_than_is_sensible(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 4 * MAX_READ_BYTES)
    with open_source(path) as source:
        with pytest.raises(FormatError, match="too long"):
            source.read(0, MAX_READ_BYTES + 1)
        with pytest.raises(FormatError, match="announced"):
            source.read(source.size - 1, 2)
        assert len(source.peek(0, source.size)) == MAX_READ_BYTES


def test_bits_end_where_the_bytes_end() -> None:
    bits = BitReader(b"\xa5\x0f")
    assert (bits.read(3), bits.flag(), bits.read(8)) == (0b101, False, 0b01010000)
    with pytest.raises(FormatError):
        bits.read(5)
    with pytest.raises(FormatError):
        bits.skip(5)
    assert bits.read(4) == 0b1111


def test_entities_are_not_expanded(open_bytes: Callable[[bytes], Source]) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x0 "ha">'
    bomb += b"".join(b'<!ENTITY x%d "%s">' % (i, b"&x%d;" % (i - 1) * 10) for i in range(1, 9))
    bomb += b"]>" + ROOT % b"<b>&x8;</b>" + END
    with pytest.raises(FormatError, match=r"document type|[Ee]ntity"):
        read_xml(open_bytes(bomb))


def test_a_doctype_before_a_known_element_is_refused_too(
    open_bytes: Callable[[bytes], Source],
) -> None:
    programme = b'<audioProgramme audioProgrammeID="APR_1001"/>'
    with pytest.raises(FormatError, match="document type"):
        read_xml(open_bytes(b'<!DOCTYPE a SYSTEM "x.dtd">' + ROOT % programme + END))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"<b/>" * (axml.MAX_CHILDREN + 1), id="unknown elements"),
        pytest.param(b"<audioObject/>" * (axml.MAX_ELEMENTS + 1), id="known elements"),
    ],
)
def test_elements_are_counted(content: bytes, open_bytes: Callable[[bytes], Source]) -> None:
    with pytest.raises(FormatError, match="more elements"):
        read_xml(open_bytes(ROOT % content + END))


def test_an_axml_of_any_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, axml.MAX_AXML_BYTES + 1)
    with open_source(path) as source, pytest.raises(FormatError, match="too long"):
        read_xml(source)


def test_many_blocks_take_constant_memory(tmp_path: Path) -> None:
    block = b'<audioBlockFormat audioBlockFormatID="AB_00031001_00000001" rtime="00:00:00.00000">'
    block += b'<cartesian>1</cartesian><position coordinate="X">0.2500000000</position>'
    block += b'<position coordinate="Y">1.0000000000</position></audioBlockFormat>'
    channel = b'<audioChannelFormat audioChannelFormatID="AC_00031001">%s</audioChannelFormat>'
    path = tmp_path / "axml"
    path.write_bytes(ROOT % (channel % (block * 60_000)) + END)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from shared.adm import axml, source\n"
        "from shared.adm.riff import Chunk\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with source.open_source(Path(sys.argv[1])) as file:\n"
        "    adm = axml.read_axml(file, Chunk('axml', 0, file.size))\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(adm.of('audioChannelFormat')[0].blocks, after - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, check=True
    )
    blocks, kibibytes = map(int, done.stdout.split())
    assert blocks == 60_000
    assert kibibytes < 8 * 1024


def test_chunks_are_counted(open_bytes: Callable[[bytes], Source]) -> None:
    body = b"WAVE" + struct.pack("<4sI", b"none", 0) * (2 * riff.MAX_CHUNKS)
    walked = riff.read_riff(open_bytes(b"RIFF" + struct.pack("<I", len(body)) + body))
    assert len(walked.chunks) == riff.MAX_CHUNKS


def test_a_ds64_table_gives_other_chunks_their_size(open_bytes: Callable[[bytes], Source]) -> None:
    table = struct.pack("<QQQI4sQ", 0, 0, 0, 1, b"axml", 3)
    body = b"WAVEds64" + struct.pack("<I", len(table)) + table
    body += b"axml\xff\xff\xff\xffabc\0" + b"tail\0\0\0\0"
    walked = riff.read_riff(open_bytes(b"BW64" + struct.pack("<I", len(body)) + body))
    assert [(chunk.name, chunk.size, chunk.declared) for chunk in walked.chunks] == [
        ("ds64", len(table), True),
        ("axml", 3, True),
        ("tail", 0, True),
    ]


def test_unused_slots_of_chna_are_left_out(open_bytes: Callable[[bytes], Source]) -> None:
    used = struct.pack("<H12s14s11sx", 1, b"ATU_00000001", b"AT_00031001_01", b"AP_00031001")
    table = struct.pack("<HH", 1, 1) + used + bytes(80)
    read = chna.read_chna(open_bytes(table), Chunk("chna", 0, len(table)))
    assert [entry.uid for entry in read.entries] == ["ATU_00000001"]


@pytest.mark.parametrize("frame", plain_frames(2) + plain_frames(2, rate=44_100))
def test_the_checksum_is_the_specification_s(frame: bytes) -> None:
    assert crc16.crc16(frame[2:-2]) == remainder(frame[2:-2]) == int.from_bytes(frame[-2:])
    assert eac3.crc_ok(frame)
    assert not eac3.crc_ok(frame[:-1] + bytes([frame[-1] ^ 1]))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 15, 16, 17, 100, 2561])
def test_the_checksum_is_exact_at_any_length(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert crc16.crc16(data) == remainder(data)


@pytest.mark.parametrize("phase", range(8))
def test_emdf_is_found_at_any_bit(phase: int) -> None:
    from tests.support.media.eac3 import emdf as container

    data = bytes(Bits("10" * 20 + "0" * phase + container(Joc())))
    payloads = emdf.find_payloads(data)
    assert set(payloads) == {emdf.OAMD, emdf.JOC, 2}
    assert emdf.parse_oamd(payloads[emdf.OAMD]) == emdf.Oamd(16, 6, 1)
    assert emdf.parse_joc(payloads[emdf.JOC]) == 15


def test_a_sync_word_alone_is_no_container() -> None:
    assert emdf.find_payloads(b"\x58\x38" * 40) == {}
    assert emdf.find_payloads(b"\x58\x38\0\x04" + bytes(20)) == {}


@pytest.mark.parametrize(("objects", "beds"), [(16, 6), (31, 6), (32, 6), (118, 6)])
def test_oamd_counts_past_its_escape(objects: int, beds: int) -> None:
    assert emdf.parse_oamd(oamd(objects)) == emdf.Oamd(objects, beds, 1)


def test_oamd_of_dynamic_objects_only() -> None:
    head = bytes(Bits().put(2, 0).put(5, 10).put(1, 1).put(1, 1))
    assert emdf.parse_oamd(head) == emdf.Oamd(11, 1, 1)


def _surround(dependents: int) -> dec3.Substream:
    return dec3.Substream(48_000, 7, lfe=True, dependents=dependents)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("1400200f000110", dec3.Dec3(640, (_surround(0),), 16)),
        ("1f40200f00", dec3.Dec3(1000, (_surround(0),))),
        ("1200200f0204", dec3.Dec3(576, (_surround(1),))),
    ],
)
def test_dec3_of_real_encoders(payload: str, expected: dec3.Dec3) -> None:
    assert dec3.parse_dec3(bytes.fromhex(payload)) == expected


@pytest.mark.parametrize("make", [make_mp4.plain, make_mp4.fragmented])
def test_samples_are_found(
    make: Callable[[make_mp4.Track], bytes], open_bytes: Callable[[bytes], Source]
) -> None:
    frames = joc_frames()
    source = open_bytes(make(make_mp4.Track(frames=frames, config=make_mp4.dec3())))
    track = mp4.read_mp4(source).audio()
    assert track is not None
    assert tuple(source.read(offset, size) for offset, size in track.samples()) == frames
    assert track.timed_samples == len(frames)


def test_a_claim_of_billions_of_samples_is_refused(open_bytes: Callable[[bytes], Source]) -> None:
    data = make_mp4.plain(make_mp4.Track(frames=(b"a",), config=make_mp4.dec3()))
    claim = b"stsz" + struct.pack(">3I", 0, 1, 0xFFFFFFF0)
    lying = data.replace(b"stsz" + struct.pack(">3I", 0, 0, 1), claim)
    assert lying != data
    with pytest.raises(FormatError, match="more than any real track"):
        mp4.read_mp4(open_bytes(lying))


def test_a_chain_of_boxes_ends(
    open_bytes: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mp4, "MAX_BOXES", 1000)
    mp4.read_mp4(open_bytes(b"\0\0\0\x08free" * 1000))
    with pytest.raises(FormatError, match="More boxes"):
        mp4.read_mp4(open_bytes(b"\0\0\0\x08free" * 1001))


def test_a_named_codec_in_mp4(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(make_mp4.plain(make_mp4.Track(frames=(b"a",), codec="mhm1")))
    assert recognise(path).kind is Kind.OTHER_IMMERSIVE
    assert recognise(path).description == "MPEG-H in MP4"
