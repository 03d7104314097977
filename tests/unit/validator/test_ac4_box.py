"""dac4: each field before the Atmos indicator, which stands last, is passed over."""

from __future__ import annotations

import pytest

from services.validator.formats.ac4_dac4 import Presentation, parse_dac4
from tests.support.media.bits import Bits

# Level 4, nothing optional; then whether there are channels, a core and a filter.
LEVEL, NO_CHANNELS, NO_MORE = f"100 0 {'1' * 19}", "0", "0 0"
OBJECTS = "11 0 00000001 11 0 0 1111 0"
TYPED = f"11 0 00000001 11 0 0 1111 1 111 1 111111 {'10' * 252}"
PLAIN_END, SAYS = "0 0 0 0", "1 1"


def box(*bodies: str, versions: tuple[int, ...] = (1,), program: str = "0", bs: int = 2) -> bytes:
    """Return a box of presentations, each given by its bits and a last byte behind ``|``."""
    head = f"001 {bs:07b} 1 1101 {len(bodies):09b} {program} {'1' * 66}".replace(" ", "")
    data = bytes(Bits(head))
    for version, body in zip(versions, bodies, strict=True):
        fields, _, last = body.replace(" ", "").partition("|")
        whole = bytes(Bits(fields)) + (bytes(Bits(last)) if last else b"")
        size = min(len(whole), 255)
        more = (len(whole) - size).to_bytes(2) if size == 255 else b""
        data += bytes([version, size]) + more + whole
    return data


def body(
    config: str = "11111",
    *,
    level: str = LEVEL,
    channels: str = NO_CHANNELS,
    more: str = NO_MORE,
    groups: str = OBJECTS,
    end: str = PLAIN_END,
    says: str = SAYS,
) -> str:
    return f"{config} {level} {channels} {more} {groups} {end} | {says}"


@pytest.mark.parametrize(
    "text",
    [
        body(),
        body(level=f"100 1 10101 {'1' * 19}"),
        body(channels=f"1 00001 {'01' * 12}"),
        body(channels=f"1 01100 111 {'01' * 12}"),
        body(more="1 1 11 0"),
        body(more="1 0 0"),
        body(more=f"0 1 1 00000010 {'10' * 8}"),
        body(groups="11 0 00000001 11 1 10101 0 1111 0"),
        body(groups="11 0 00000001 11 0 0 1111 1 111 0"),
        body(groups=f"11 0 00000001 11 0 0 1111 1 111 1 000010 {'10' * 8}"),
        body("00101", groups=f"1 000 {OBJECTS * 2}"),
        body("00100", groups=f"1 {OBJECTS * 3}"),
        body(groups=f"11 0 00000010 {'11 0 0 1111' * 2} 0"),
        body(end=f"0 1 0000010 {'10' * 15} 0 0"),
        body(end=f"0 0 1 {'10' * 33} 0"),
        body(end=f"0 1 1111111 {'10' * 952}1 1 {'10' * 33} 0", groups=TYPED),
    ],
)
def test_the_indicator_is_found(text: str) -> None:
    read = parse_dac4(box(text)).presentations

    assert read == (Presentation(1, 4, object_based=True, atmos_indicator=True),)


@pytest.mark.parametrize("a_joc", ["1 1 000000", "1 0 1111 000000"])
def test_joint_coding_is_found(a_joc: str) -> None:
    read = parse_dac4(box(body(groups=f"11 0 00000001 11 0 {a_joc} 1111 0"))).presentations

    assert read == (Presentation(1, 4, object_based=True, a_joc=True, atmos_indicator=True),)


@pytest.mark.parametrize(
    "text",
    [
        body(groups="11 0 00000000 0"),
        body(groups=f"11 1 00000001 11 0 {'01' * 12} 0"),
        body("00111", groups=f"1 0001000 {'1' * 64}"),
    ],
    ids=["no substream", "channels", "an unknown config"],
)
def test_what_has_no_objects_is_said_so(text: str) -> None:
    read = parse_dac4(box(text)).presentations

    assert read == (Presentation(1, 4, atmos_indicator=True),)


@pytest.mark.parametrize("said", [body(says=""), body(says="1"), body(end="0 0 0 1")])
def test_the_indicator_may_be_missing(said: str) -> None:
    (read,) = parse_dac4(box(said)).presentations

    assert (read.object_based, read.atmos_indicator) == (True, False)


@pytest.mark.parametrize("program", [f"1 {'1' * 16} 0", f"1 {'1' * 16} 1 {'10' * 64}"])
def test_a_programme_may_be_named(program: str) -> None:
    read = parse_dac4(box(body(), program=program))

    assert read.presentations == parse_dac4(box(body())).presentations


def test_the_first_version_names_no_programme() -> None:
    assert len(parse_dac4(box(body(), program="", bs=1)).presentations) == 1


def test_other_presentations_are_passed_over() -> None:
    read = parse_dac4(box("111", "00110", body(), versions=(3, 1, 2))).presentations

    assert read[:2] == (Presentation(3), Presentation(1))
    assert read[2].atmos_indicator
