"""EMDF containers: each way to write one is read, and what only looks like one is not."""

from __future__ import annotations

import pytest

from services.validator.formats import emdf
from tests.support.media.bits import Bits

OBJECTS, LONG = b"\x12\x34", bytes(range(256)) + b"\x99" * 44
# emdf_payload_config (ETSI TS 102 366 §H.2.2.2.3), field by field.
CONFIGS = {
    "discarded when unknown": "0 0 0 0 1",
    "with an offset": "1 111111111111 0 0 0 0 1111111",
    "with a duration": "0 1 11111111111 0 0 0 1",
    "of a group": "0 0 1 11 0 0 1",
    "of a group of four figures": "0 0 1 11 1 11 1 11 1 11 0 0 1",
    "with codec data": "0 0 0 1 11111111 1",
    "aligned": "0 0 0 0 0 1 11 1111111",
    "not aligned": "0 0 0 0 0 0",
}
PLAIN = CONFIGS["discarded when unknown"]


def payload(kind: str, data: bytes, config: str = PLAIN) -> str:
    size = f"{len(data):08b}0" if len(data) < 256 else f"{0:08b}1{len(data) - 256:08b}0"
    return kind + config.replace(" ", "") + size + Bits.of(data).bits


def container(*payloads: str, primary: int = 1, longer: int = 0, head: str = "00000") -> bytes:
    content = Bits(head + "".join(payloads)).put(5, 0).put(2, primary).put(2, 0).put(8, 0)
    data = bytes(content)
    return b"\x58\x38" + (len(data) + longer).to_bytes(2) + data


OAMD, JOC, OTHER, ANOTHER = (
    payload(f"{kind:05b}", OBJECTS) for kind in (emdf.OAMD, emdf.JOC, 2, 3)
)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_payload_is_found_behind_its_head(config: str) -> None:
    data = container(payload("01011", OBJECTS, CONFIGS[config]), JOC)

    assert emdf.find_payloads(data) == {emdf.OAMD: OBJECTS, emdf.JOC: OBJECTS}


def test_numbers_past_their_escapes_are_read() -> None:
    far = payload("11111" + "00011" + "0", OBJECTS)
    data = container(payload("01011", LONG), far, head="11000" + "111" + "0000")

    assert emdf.find_payloads(data) == {emdf.OAMD: LONG, 34: OBJECTS}


@pytest.mark.parametrize(
    "data",
    [
        container(),
        container(OAMD, primary=0),
        container(OAMD, longer=1),
        container(OAMD, longer=-2),
        container(payload("01011", OBJECTS, "0 0 1" + " 11 1" * 4 + " 11 0 0 1")),
    ],
    ids=["empty", "unprotected", "past the frame", "past its own end", "a number without end"],
)
def test_what_only_looks_like_a_container_is_passed_over(data: bytes) -> None:
    assert emdf.find_payloads(data) == {}


def test_the_container_with_objects_is_preferred() -> None:
    others = container(OTHER) + container(ANOTHER)

    assert emdf.find_payloads(others) == {2: OBJECTS}
    assert emdf.find_payloads(others + container(OAMD)) == {emdf.OAMD: OBJECTS}
    assert emdf.find_payloads(others + container(JOC)) == {emdf.JOC: OBJECTS}


@pytest.mark.parametrize(("before", "found"), [(63, {emdf.OAMD: OBJECTS}), (64, {})])
def test_so_many_sync_words_are_junk(before: int, found: dict[int, bytes]) -> None:
    assert emdf.find_payloads(b"\x58\x38" * before + container(OAMD)) == found


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("11 000 00011 1 1", (4, 1, 1)),
        ("00 00011 0 0100 111111111111", (4, 0, 0)),
        ("00 01111 0 0001 1 0 0 1 1000000000", (16, 1, 1)),
        ("00 01111 0 0001 1 0 0 1 1111111111", (16, 17, 2)),
        ("00 01111 0 0001 1 0 0 0 10000000000001001", (16, 3, 2)),
        ("00 01111 0 0001 1 1 000 0 1 0000000011 1", (16, 4, 1)),
    ],
    ids=["extended", "no bed", "LFE 2", "standard", "not standard", "two beds"],
)
def test_beds_are_counted(head: str, expected: tuple[int, int, int]) -> None:
    read = emdf.parse_oamd(bytes(Bits(head.replace(" ", ""))))

    assert (read.object_count, read.bed_channels, read.lfe_channels) == expected
