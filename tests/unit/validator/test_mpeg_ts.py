"""Transport packets and PES heads: every field that moves or hides the sound is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.validator.formats import mpeg_ts, pes
from services.validator.formats.mpeg_ts import Elementary, Layout, TransportStream
from shared.adm.source import FormatError, open_source
from tests.support.media.mpeg_ts import PMT_PID, SOUND_PID, pat, pmt, section

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Layout(188, 0)
PES = b"\0\0\1\xbd\0\0\x80\0\0"


def _packet(
    payload: bytes,
    counter: int = 0,
    *,
    pid: int = SOUND_PID,
    starts: bool = False,
    field: bytes = b"\0",
) -> bytes:
    """Return a packet; ``field`` is what its adaptation field starts with."""
    stuffing = 183 - len(payload)
    head = (0x4000 * starts | pid).to_bytes(2)
    if stuffing < 0:
        return b"G" + head + bytes([0x10 | counter]) + payload
    return (
        b"G"
        + head
        + bytes([0x30 | counter, stuffing])
        + field[:stuffing].ljust(stuffing, b"\xff")
        + payload
    )


def _sound(path: Path, *packets: bytes) -> tuple[bytes, TransportStream]:
    path.write_bytes(b"".join(packets))
    with open_source(path) as source:
        stream = TransportStream(source.size, PLAIN)
        pieces = [data for _, data in pes.elementary(source, stream, SOUND_PID)]
    return b"".join(pieces), stream


def _programme(path: Path, *packets: bytes) -> list[Elementary]:
    path.write_bytes(b"".join(packets))
    with open_source(path) as source:
        return mpeg_ts.read_programme(source, PLAIN)


def test_the_layout_needs_more_than_one_sync_byte() -> None:
    assert mpeg_ts.find_layout(b"GIF89a") is None
    assert mpeg_ts.find_layout((b"G" + bytes(187)) * 2) == PLAIN
    assert mpeg_ts.find_layout(b"G" + bytes(187) + b"g" + bytes(187)) is None


@pytest.mark.parametrize("count", [1, 5, 7])
def test_whole_packets_are_read_in_any_pieces(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpeg_ts, "_PIECE_PACKETS", 2)
    path = tmp_path / "file"
    path.write_bytes(_packet(b"") * count + _packet(b"")[:187])
    with open_source(path) as source:
        found = [each.offset for each in mpeg_ts.packets(source, PLAIN, {SOUND_PID}, source.size)]
    assert found == [188 * index for index in range(count)]


@pytest.mark.parametrize(("field", "gaps"), [(b"\x80", []), (b"\0", [188])])
def test_a_jump_that_is_announced_is_no_gap(field: bytes, gaps: list[int], tmp_path: Path) -> None:
    """By discontinuity_indicator, which needs an adaptation field (§2.4.3.5)."""
    path = tmp_path / "file"
    _, stream = _sound(
        path, _packet(PES + b"a", starts=True), _packet(b"b" * 100, counter=5, field=field)
    )
    assert stream.gaps == gaps


def test_an_empty_adaptation_field_announces_nothing(tmp_path: Path) -> None:
    start = _packet(PES + b"a", starts=True)
    _, stream = _sound(tmp_path / "file", start, _packet(b"\x80" * 183, counter=5))
    assert stream.gaps == [188]


def test_a_packet_without_a_payload_carries_nothing(tmp_path: Path) -> None:
    """And does not count (§2.4.3.3)."""
    bare = bytearray(_packet(b"x" * 100, counter=0))
    bare[3] = 0x20
    sound, stream = _sound(
        tmp_path / "file", _packet(PES + b"a", starts=True), bytes(bare), _packet(b"b", counter=1)
    )
    assert (sound, stream.gaps) == (b"ab", [])


def test_another_packet_of_the_same_count_is_no_repetition(tmp_path: Path) -> None:
    sound, stream = _sound(tmp_path / "file", _packet(PES + b"a", starts=True), _packet(b"b"))
    assert (sound, stream.gaps) == (b"ab", [188])


def test_the_counter_starts_again_after_fifteen(tmp_path: Path) -> None:
    start = _packet(PES + b"a", counter=15, starts=True)
    assert _sound(tmp_path / "file", start, _packet(b"b", counter=0))[1].gaps == []


@pytest.mark.parametrize("control", [0x40, 0x80, 0xC0])
def test_each_way_of_scrambling_is_seen(control: int, tmp_path: Path) -> None:
    packet = bytearray(_packet(PES + b"a", starts=True))
    packet[3] |= control
    assert _sound(tmp_path / "file", bytes(packet))[1].scrambled == [0]


def test_only_the_first_few_places_are_kept(tmp_path: Path) -> None:
    start = _packet(PES + b"a", starts=True)
    jumps = [_packet(bytes([n]), counter=2 * n % 16) for n in range(1, 30)]
    _, stream = _sound(tmp_path / "file", start, *jumps)
    assert len(stream.gaps) == mpeg_ts.MAX_KEPT


@pytest.mark.parametrize(
    "head", [PES[:8], b"\0\0\2" + PES[3:], b""], ids=["short", "code", "empty"]
)
def test_a_pes_packet_has_its_head(head: bytes, tmp_path: Path) -> None:
    packet = _packet(head or b"\1", starts=True)
    with pytest.raises(FormatError, match="start code"):
        _sound(tmp_path / "file", packet)


@pytest.mark.parametrize(
    ("flags", "optional", "core"),
    [
        pytest.param(0x01, b"\x01\x81\x76", True, id="extension alone"),
        pytest.param(0x01, b"\x01\x81\x72", False, id="another extension"),
        pytest.param(0x00, b"\x01\x81\x76", False, id="no extension flag"),
        pytest.param(0x81, bytes(5) + b"\x01\x81\x76", True, id="one time"),
        pytest.param(0xC1, bytes(10) + b"\x01\x81\x76", True, id="two times"),
        pytest.param(0x21, bytes(6) + b"\x01\x81\x76", True, id="ESCR"),
        pytest.param(
            0x1F, bytes(3 + 1 + 1 + 2) + b"\x01\x81\x76", True, id="rate, trick, copy, CRC"
        ),
        pytest.param(0x01, b"\x81" + bytes(16) + b"\x81\x76", True, id="private data"),
        pytest.param(0x01, b"\x41\x02ab\x81\x76", True, id="pack header"),
        pytest.param(0x01, b"\x31" + bytes(4) + b"\x81\x76", True, id="counter and buffer"),
        pytest.param(0x01, b"\x00\x81\x76", False, id="no second extension"),
        pytest.param(0x01, b"\x01\x81\xf6", False, id="stream_id_extension_flag"),
        pytest.param(0x01, b"", False, id="announced, not there"),
        pytest.param(0x01, b"\x01\x81", False, id="cut"),
        pytest.param(0x01, b"\x41", False, id="cut before the pack header"),
    ],
)
def test_the_core_is_known_behind_any_optional_field(
    flags: int, optional: bytes, *, core: bool, tmp_path: Path
) -> None:
    head = PES[:7] + bytes([flags, len(optional)]) + optional
    sound, _ = _sound(tmp_path / "file", _packet(head + b"sound", starts=True))
    assert sound == (b"" if core else b"sound")


def test_tables_may_be_spread_over_packets_and_come_behind_others(tmp_path: Path) -> None:
    networks = section(0, b"\0\1\xc1\0\0\0\0\xe0\x10\0\1" + (0xE000 | PMT_PID).to_bytes(2))
    descriptors = b"\x05\x04HDMV" + b"\x80\xa0" + bytes(160) + b"\x0a\x04eng\0"
    table = pmt((0x87, descriptors))
    before, rest = table[:90], table[90:]
    streams = _programme(
        tmp_path / "file",
        _packet(section(0, b"\0\1\xc1\0\0\0\1\xe0\x55"), pid=0),
        _packet(b"\3abc" + section(0x42, bytes(8)), 1, pid=0, starts=True),
        _packet(b"\2ab" + networks, 2, pid=0, starts=True),
        _packet(b"\0" + before, 0, pid=PMT_PID, starts=True),
        _packet(rest, 1, pid=PMT_PID),
    )
    assert [(each.pid, each.kind) for each in streams] == [(SOUND_PID, 0x87)]
    assert [tag for tag, _ in streams[0].descriptors] == [0x05, 0x80, 0x0A]


def test_all_streams_of_a_programme_are_listed(tmp_path: Path) -> None:
    entries = b"\x1b\xe1\x02\xf0\x00" + b"\x87\xe1\x01\xf0\x02\x0a\x00"
    table = section(2, b"\0\1\xc1\0\0\xe1\x02\xf0\x03abc" + entries)
    streams = _programme(
        tmp_path / "file",
        _packet(b"\0" + pat(), pid=0, starts=True),
        _packet(b"\0" + table, pid=PMT_PID, starts=True),
    )
    assert streams == [Elementary(0x102, 0x1B, ()), Elementary(0x101, 0x87, ((0x0A, b""),))]


def test_a_stream_without_a_programme_is_refused(tmp_path: Path) -> None:
    """What looks like one behind the last entry is the checksum."""
    path = tmp_path / "file"
    only_network = section(0, b"\0\1\xc1\0\0\0\0\xe0\x10")
    with pytest.raises(FormatError, match="no programme"):
        _programme(path, _packet(b"\0" + only_network, pid=0, starts=True))


def test_a_table_is_looked_for_at_the_start_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpeg_ts, "_TABLES_WITHIN", 188)
    monkeypatch.setattr(mpeg_ts, "_PIECE_PACKETS", 1)
    path = tmp_path / "file"
    with pytest.raises(FormatError, match="table of PID 0 is missing"):
        _programme(path, _packet(b""), _packet(b"\0" + pat(), pid=0, starts=True))
