"""AC-4 substream groups: every field is passed over, so that what follows is read right."""

from __future__ import annotations

import pytest

from services.validator.formats.ac4_groups import Group, GroupContext, Substream, parse_group
from services.validator.formats.bits import BitReader
from shared.adm.source import FormatError
from tests.support.media.bits import Bits

# No substream indices, no extension, one substream; of channels, or of objects without OAMD.
CHANNELS, OBJECTS = "0 0 1 1", "0 0 1 0 0"
# No bitrate, a frame's one bit, no content type.
END = "0 1 0"
BITS_10, BITS_17 = "1" * 10, "1" * 17


def read(text: str, *, is_48_khz: bool = False, factor: int = 1, stereo: bool = False) -> Group:
    """Read a group from all the bits that are given."""
    whole = Bits(text.replace(" ", ""))
    bits = BitReader(bytes(whole))
    group = parse_group(bits, GroupContext(is_48_khz, factor, stereo))
    assert bits.position == len(whole.bits)
    return group


@pytest.mark.parametrize(
    ("code", "mode"),
    [
        *(("0", 0), ("10", 1), ("1100", 2), ("1101", 3), ("1110", 4)),
        *(("1111000", 5), ("1111001", 6), ("11111100 1111", 11), ("11111101 1111", 12)),
        *(("111111100 1111", 13), ("111111101 1111", 14)),
        *(("111111110", 15), ("111111111 01 0", 17)),
    ],
)
def test_each_channel_mode_is_known(code: str, mode: int) -> None:
    (found,) = read(f"{CHANNELS} {code} {END}")

    assert found == Substream(mode)
    assert found.immersive is (mode >= 11)


@pytest.mark.parametrize(("code", "mode"), [("1111010", 7), ("1111101", 10)])
def test_seven_channels_may_have_a_base(code: str, mode: int) -> None:
    assert read(f"{CHANNELS} {code} 0 1 1 0") == (Substream(mode),)


@pytest.mark.parametrize(("code", "atmos"), [("1111000", False), ("1111001", True)])
def test_immersive_stereo_says_where_it_is_from(code: str, *, atmos: bool) -> None:
    assert read(f"{CHANNELS} {code} {END}", stereo=True) == (Substream(1, from_atmos=atmos),)


@pytest.mark.parametrize(
    "text",
    [
        "1 0 1 1 10 0 1 01 0",
        "1 0 1 1 10 0 1 11 01 0 0",
        "1 1 1 1 10 0 1 01 10 0",
        "0 1 1 1 10 0 1 0",
        f"{CHANNELS} 10 1 001 11 1 0",
        f"{CHANNELS} 10 1 110 1 0",
        f"{CHANNELS} 10 0 1 1 111 0",
        f"{CHANNELS} 10 0 1 1 111 1 1 {BITS_17}",
        f"{CHANNELS} 10 0 1 1 111 1 0 000010 {'1' * 16}",
    ],
)
def test_what_is_said_of_channels_is_passed_over(text: str) -> None:
    assert read(text) == (Substream(1),)


def test_rates_depend_on_the_frame() -> None:
    assert read(f"{CHANNELS} 10 0 0 1111 0", is_48_khz=True, factor=4) == (Substream(1),)
    assert read(f"{CHANNELS} 10 1 1 0 11 0", is_48_khz=True, factor=2) == (Substream(1),)


@pytest.mark.parametrize(("count", "substreams"), [("00", 2), ("10", 4), ("11 00 0", 5)])
def test_substreams_are_counted(count: str, substreams: int) -> None:
    assert read(f"0 0 0 {count} 1 {'10 0 1 ' * substreams} 0") == (Substream(1),) * substreams


def test_no_group_has_so_many_substreams() -> None:
    with pytest.raises(FormatError, match="more than any real frame"):
        read(f"0 0 0 11 {'11 1 ' * 4} 11 0 1")


@pytest.mark.parametrize(
    ("count", "objects"), [("000", 0), ("001", 1), ("010", 2), ("011", 3), ("100", 5)]
)
def test_objects_are_counted(count: str, objects: int) -> None:
    found = read(f"{OBJECTS} 0 {count} 1 1 {END}")

    assert found == (Substream(objects=objects, lfe=True),)


@pytest.mark.parametrize(
    "bed",
    [
        *("1 0", "0 1 0", "0 1 1 1 111", f"0 1 1 0 1 {BITS_17}", f"0 1 1 0 0 {BITS_10}"),
        *("0 0 1 0", "0 0 1 1 111", f"0 0 0 0010 {'1' * 16}"),
    ],
)
def test_the_kind_of_objects_is_passed_over(bed: str) -> None:
    assert read(f"{OBJECTS} 0 010 {bed} {END}") == (Substream(objects=2),)


@pytest.mark.parametrize("oamd", ["0 0 1 0 1 1", "1 0 1 0 1 1 01"])
def test_groups_may_have_object_metadata(oamd: str) -> None:
    index = "01" if oamd.startswith("1") else ""

    assert read(f"{oamd} 0 001 1 0 0 1 {index} 0") == (Substream(objects=1),)


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("1 1 1 0 0000 1", 1),
        ("1 1 1 0 1110 1", 15),
        ("1 1 1 0 1111 010 0 1", 18),
        ("1 1 0 0100 1 0 0000 1", 1),
        ("1 1 1 1 1 1 0 0000 1", 1),
        ("1 1 1 1 0 11111 1 0 0000 1", 1),
        ("1 1 1 1 1 1 1 0 11111111 0000 1", 1),
        (f"1 1 1 1 1 1 1 1 00 0 {'1' * 16} 0000 1", 1),
        ("1 1 1 0 0100 0 1 111", 5),
        ("1 1 1 0 0100 0 0 1 111", 5),
        (f"1 1 1 0 0100 0 0 0 1 1 {BITS_17}", 5),
        (f"1 1 1 0 0100 0 0 0 1 0 {BITS_10}", 5),
        ("1 1 1 0 0011 0 0 0 0 01 11111111", 4),
        ("1 1 1 0 0100 0 0 0 0 001 11111111", 5),
        ("1 1 0 0100 0 0 0 0 001 11111111 0 0000 1", 1),
    ],
)
def test_joint_coded_objects_are_counted(text: str, objects: int) -> None:
    found = read(f"{OBJECTS} {text} {END}")

    assert found == (Substream(a_joc=True, objects=objects, lfe=True),)
