"""TrueHD's access units and major syncs: each optional part is read, and memory is bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.validator.formats.truehd import parse_unit
from services.validator.formats.truehd_checksums import MAX_KEPT
from services.validator.formats.truehd_stream import TruehdStream
from services.validator.formats.truehd_sync import Objects, parse_major_sync
from services.validator.rules import truehd as rules
from shared.adm.source import FormatError
from tests.support.media.bits import Bits
from tests.support.media.truehd import Spec, Unit, checked, sync, units, with_nibble

if TYPE_CHECKING:
    from services.validator.profile import Profile


def put_together(unit: Unit, flags: int, extra: bytes = b"") -> bytes:
    """Return a unit whose directory entries have these flags, and an extra word each."""
    directory, end = b"", 0
    for segment in unit.segments:
        end += len(segment)
        directory += (flags | end // 2).to_bytes(2) + extra
    body = unit.sync + directory + b"".join(unit.segments)
    return with_nibble((len(body) + 4 >> 1).to_bytes(2) + bytes(2) + body, directory)


def with_segment(number: int, segment: bytes) -> bytes:
    """Return the first unit with another segment."""
    first = units()[0]
    segments = list(first.segments)
    segments[number] = segment
    return bytes(replace(first, segments=tuple(segments)))


def test_entries_may_have_an_extra_word() -> None:
    first = units()[0]
    read = parse_unit(put_together(first, 0xA000, b"\x12\x3f"), None)

    assert (read.header_ok, read.checked) == (True, first.segments)


def test_extra_words_are_in_the_nibble() -> None:
    data = put_together(Unit(b"", (checked(b"some sound"),), 0), 0xE000, b"\x12\x3f")

    assert parse_unit(data, 1).header_ok
    assert not parse_unit(data.replace(b"\x12\x3f", b"\x12\x3e"), 1).header_ok


def test_a_segment_may_have_no_checksum() -> None:
    assert parse_unit(put_together(units()[0], 0), None).checked == ()


def test_a_segment_is_not_empty() -> None:
    with pytest.raises(FormatError, match="leaves the access unit"):
        parse_unit(put_together(Unit(b"", (b"", checked(b"some sound")), 0), 0x6000), 2)


@pytest.mark.parametrize("start", [b"\x71\xea", b"\xf1\xeb", b"\xf1\xed"])
def test_a_restart_header_starts_in_its_way(start: bytes) -> None:
    right = units()[0].segments[0]
    data = with_segment(0, checked(start + right[2:-2]))
    if start == b"\xf1\xeb":
        assert not parse_unit(data, None).header_ok
        return
    with pytest.raises(FormatError, match="no restart header"):
        parse_unit(data, None)


@pytest.mark.parametrize(("number", "checks"), [(0, True), (2, True), (3, False)])
def test_the_restart_header_of_objects_is_not_public(number: int, *, checks: bool) -> None:
    right = units()[0].segments[number]
    data = with_segment(number, checked(right[:4] + bytes([right[4] ^ 1]) + right[5:-2]))

    assert parse_unit(data, None).header_ok is not checks


def test_a_unit_with_a_major_sync_has_a_nibble_too() -> None:
    first = bytes(units()[0])

    assert parse_unit(first, None).header_ok
    assert not parse_unit(bytes([first[0] ^ 0x10]) + first[1:], None).header_ok


@pytest.mark.parametrize(
    ("content", "objects"),
    [
        ("0 0001 00 1", 0),
        ("0 0001 00 0 11111111111", 0),
        ("0 0010 111", 0),
        ("0 0100 00011", 4),
        ("0 0111 00 1 111 00011", 4),
        ("1 0", 16),
        ("1 1", 15),
    ],
)
def test_objects_are_counted_behind_beds(content: str, objects: int) -> None:
    bits = Bits.of(sync(Spec(objects_only=False))).bits
    at = 8 * 26 + 4 + 5 + 6 + 5
    changed = (bits[:at] + content.replace(" ", "")).ljust(len(bits), "1")

    assert parse_major_sync(bytes(Bits(changed))).objects == Objects(16, objects)


def test_what_describes_objects_ends_before_the_crc() -> None:
    bits = Bits.of(sync(Spec())).bits
    at = 8 * 26 + 4 + 5 + 6 + 5

    with pytest.raises(FormatError):
        parse_major_sync(bytes(Bits((bits[:at] + "0011100").ljust(len(bits), "0"))))


def stream_of(*parts: bytes) -> TruehdStream:
    stream = TruehdStream()
    for part in parts:
        stream.add(0, part)
    return stream


def test_runs_are_counted_from_sync_to_sync() -> None:
    assert stream_of(*map(bytes, units())).longest_run == 16


def test_what_is_kept_of_a_stream_is_bounded() -> None:
    first = bytes(units()[0])
    stream = stream_of(*[bytes([first[0] ^ 0x10]) + first[1:]] * 20)

    assert stream.bad_headers == list(range(MAX_KEPT))


def test_the_first_change_is_told() -> None:
    specs = (Spec(), Spec(rate_code=1), Spec(rate_code=2))

    assert stream_of(*(bytes(units(spec)[0]) for spec in specs)).changed_at == 1


def test_a_broken_unit_is_said_where() -> None:
    with pytest.raises(FormatError) as error:
        TruehdStream().add(1000, bytes(units()[1]))

    assert error.value.offset == 1000


@pytest.mark.parametrize(("run", "told"), [(128, 0), (129, 1)])
def test_a_sync_comes_every_128_units(run: int, told: int, atmos: Profile) -> None:
    assert len(list(rules.truehd_sync_rare(TruehdStream(longest_run=run), atmos))) == told


@pytest.mark.parametrize(
    ("objects", "told"),
    [(Objects(16, 16), 0), (Objects(17, 3), 1), (Objects(4, 5), 1)],
)
def test_there_are_at_most_sixteen_channels(objects: Objects, told: int, atmos: Profile) -> None:
    first = replace(parse_major_sync(sync(Spec())), objects=objects)

    found = rules.truehd_objects_inconsistent(TruehdStream(first=first), atmos)
    assert len(list(found)) == told


def test_a_stream_without_objects_needs_no_fourth_substream(atmos: Profile) -> None:
    stream = TruehdStream(first=parse_major_sync(sync(Spec(atmos=False, substreams=3))))

    assert not list(rules.truehd_substream_missing(stream, atmos))
    assert not list(rules.truehd_objects_undescribed(stream, atmos))
