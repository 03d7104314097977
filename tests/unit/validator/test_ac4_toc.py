"""AC-4's table of contents: what is optional is passed over, what is endless is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.validator.formats.ac4_bits import counted, variable_bits
from services.validator.formats.ac4_groups import Substream
from services.validator.formats.ac4_presentation import says_atmos
from services.validator.formats.ac4_stream import MAX_KEPT, Ac4Stream
from services.validator.formats.ac4_toc import Presentation, parse_toc
from services.validator.formats.bits import BitReader
from shared.adm.source import FormatError
from tests.support.media.ac4 import Frame, raw_frame, raw_frames, synced
from tests.support.media.bits import Bits

COUNTER = "0000000001"
# Neither ids nor keys; then the metadata's own substream, the first one.
EMDF, OWN = "00 000 0 01 00 11111111", "0 0 0 0 00"
SINGLE = f"1 10 100 0 {EMDF} 0 000 {OWN}"
GROUP = "0 0 1 1 111111111 01 0 0 1 0"
REST = "01 0"
MODE, OWN_FIRST = Substream(17), Presentation(1, 4, (0,), 0)
SOUND = b"\x55" * 40


def frame(
    *presentations: str,
    groups: str = GROUP,
    head: str = "0 0",
    rate: str = "1101",
    count: str = "1",
    base: str = "0",
    program: str = "0",
    rest: str = REST,
) -> tuple[bytes, int]:
    """Return a frame of a table and 40 bytes, and where these begin."""
    start = f"10 {COUNTER} {head} {rate} 1 {count} {base} {program}"
    toc = bytes(Bits(f"{start}{''.join(presentations)}{groups}{rest}".replace(" ", "")))
    return toc + SOUND, len(toc)


@pytest.mark.parametrize(
    "made",
    [
        frame(SINGLE),
        frame(SINGLE, head="1 000 0"),
        frame(SINGLE, head="1 001 11 0"),
        frame(SINGLE, program=f"1 {'1' * 16} 0"),
        frame(SINGLE, program=f"1 {'1' * 16} 1 {'1' * 128}"),
        frame(f"1 10 100 1 10 0 {EMDF} 0 000 {OWN}"),
        frame(f"1 10 100 0 {EMDF} 1 1 000 {OWN}"),
        frame(f"1 10 100 0 00 000 1 10 10 01 {'1' * 40} 0 000 {OWN}"),
        frame(f"1 10 100 0 {EMDF} 0 000 0 1 0 0 00 01 {EMDF}"),
        frame(f"0 110 0 01 {EMDF}", SINGLE, count="0 1 00 0"),
        frame(f"0 110 0 00 00 0 {EMDF * 4}", SINGLE, count="0 1 00 0"),
        frame(
            f"1 10 100 0 1 {EMDF} 0 000 {OWN}", groups="0 0 1 1 111111111 01 0 0 11 0", rate="0000"
        ),
        frame(f"1 10 100 0 0 {EMDF} 0 000 {OWN}", rate="0001"),
        frame(
            f"1 10 100 0 1 1 {EMDF} 0 000 {OWN}",
            groups="0 0 1 1 111111111 01 0 0 1111 0",
            rate="0010",
        ),
        frame(f"1 10 100 0 0 {EMDF} 0 000 {OWN}", rate="0010"),
        frame(f"1 10 100 0 1 {EMDF} 0 000 {OWN}", rate="0101"),
        frame(f"1 10 100 0 1 1 {EMDF} 0 000 {OWN}", rate="1010"),
        frame(f"0 111 00 0 10 100 0 {EMDF} 0 1 00001 0 {'1' * 8} {OWN}", SINGLE, count="0 1 00 0"),
    ],
    ids=[
        *("plain", "no frames to wait for", "frames to wait for", "programme", "its UUID", "id"),
        *("pre-virtualised", "keys", "added EMDF", "EMDF only", "four of them", "double", "single"),
        *("quadruple", "not multiplied", "fraction", "long fraction", "unknown config"),
    ],
)
def test_what_follows_an_optional_field_is_found(made: tuple[bytes, int]) -> None:
    data, start = made
    toc = parse_toc(data)

    assert toc.groups == ((MODE,),)
    assert toc.presentations[-1] == OWN_FIRST
    assert toc.spans == ((start, len(data)),)


@pytest.mark.parametrize(
    ("config", "groups"),
    [
        *(("000", 2), ("001", 2), ("010", 2), ("011", 3), ("100", 3)),
        *(("101 00", 2), ("101 10", 4), ("101 11 01 0", 6)),
    ],
)
def test_groups_are_counted(config: str, groups: int) -> None:
    kind, _, more = config.partition(" ")
    each = "".join(f"{index:03b}" for index in range(groups))
    made = frame(f"0 {kind} 10 100 0 {EMDF} 0 1 {more} {each} {OWN}", groups=GROUP * groups)

    assert parse_toc(made[0]).groups == ((MODE,),) * groups


@pytest.mark.parametrize(
    "made",
    [
        frame(SINGLE, count=f"0 1 {'11 1' * 4} 11 0"),
        frame(f"0 101 10 100 0 {EMDF} 0 1 11 {'11 1' * 4} 11 0"),
        frame(f"1 10 100 0 {EMDF} 0 111 {'11 1' * 4} 11 0 {OWN}"),
        frame(SINGLE, rest=f"00 {'11 1' * 4} 11 0"),
        frame(f"0 110 0 00 {'11 1' * 4} 11 0"),
    ],
    ids=["presentations", "groups", "a far group", "substreams", "EMDF"],
)
def test_no_frame_has_so_many_parts(made: tuple[bytes, int]) -> None:
    with pytest.raises(FormatError, match="more than any real frame"):
        parse_toc(made[0])


def test_substreams_follow_each_other() -> None:
    sizes = f"0 {5:010b} 0 {0:010b} 0 {7:010b}"
    data, start = frame(SINGLE, rest=f"11 {sizes}", base="1 00010")
    first = start + 3

    assert parse_toc(data).spans == ((first, first + 5), (first + 5,) * 2, (first + 5, first + 12))


def test_a_substream_may_be_long() -> None:
    data, start = frame(SINGLE, rest=f"01 1 1 {8:010b} 01 0")

    assert parse_toc(data + bytes(2000)).spans == ((start, start + 1032),)
    with pytest.raises(FormatError, match="Substreams end"):
        parse_toc(data)


def test_only_immersive_stereo_reads_modes_in_its_way() -> None:
    stereo, modes = SINGLE.replace("1 10 ", "1 110 ", 1), "0 0 1 1 1111000 0 1 0"

    assert parse_toc(frame(SINGLE, groups=modes)[0]).groups == ((Substream(5),),)
    found = parse_toc(frame(stereo, groups=modes)[0]).groups
    assert found == ((Substream(1, from_atmos=False),),)


def test_numbers_go_on_after_a_flag() -> None:
    assert variable_bits(BitReader(bytes([0b01_1_10_0_00])), 2) == ((1 + 1) << 2) + 2
    assert counted(BitReader(bytes([0b00_01_0_000]))) == 5
    assert counted(BitReader(bytes([0b11_000000]))) == 3


def test_metadata_may_have_no_additional_data() -> None:
    data, start = frame(SINGLE)

    assert not says_atmos(data[:start] + b"\0\x80", parse_toc(data[:start] + bytes(2)), OWN_FIRST)
    assert says_atmos(data[:start] + b"\x80\x80", parse_toc(data[:start] + bytes(2)), OWN_FIRST)


def test_no_presentation_has_so_many_targets() -> None:
    data, start = frame(SINGLE)
    own = bytes(Bits(f"0 11 {'11 1' * 4} 11 0".replace(" ", ""))) + SOUND

    with pytest.raises(FormatError, match="more than any real frame"):
        says_atmos(
            data[:start] + own, parse_toc(data[:start] + own), replace(OWN_FIRST, alternative=True)
        )


@pytest.mark.parametrize("substream", [None, 9, 1])
def test_a_presentation_without_metadata_says_nothing(substream: int | None) -> None:
    sizes = f"0 {5:010b} 0 {0:010b}"
    data, _ = frame(SINGLE, rest=f"10 {sizes}")

    assert not says_atmos(data, parse_toc(data), Presentation(1, 4, (0,), substream))


def test_what_is_kept_of_a_stream_is_bounded() -> None:
    stream = Ac4Stream()
    for each in raw_frames(count=20):
        stream.add(0, synced(each)[:-1] + b"\x99")
    assert len(stream.crc_failures) == MAX_KEPT
    stream = Ac4Stream(framed=False)
    for _ in range(20):
        stream.add(0, raw_frame(Frame(counter=7)))
    assert stream.counter_breaks == list(range(1, 1 + MAX_KEPT))


def test_the_first_change_is_told() -> None:
    stream = Ac4Stream(framed=False)
    for level in (4, 3, 2):
        stream.add(0, raw_frame(Frame(level=level)))

    assert stream.changed_at == 1


def test_a_frame_that_is_cut_is_said_where() -> None:
    with pytest.raises(FormatError) as error:
        Ac4Stream(framed=False).add(1000, raw_frame(Frame())[:9])

    assert error.value.offset == 1000


@pytest.mark.parametrize(("index", "seconds"), [(1, 1 / 24), (13, 2048 / 48_000), (14, 0.0)])
def test_a_frame_plays_as_its_rate_says(index: int, seconds: float) -> None:
    toc = replace(parse_toc(raw_frame(Frame())), frame_rate_index=index)
    stream = Ac4Stream(framed=False, frames=1, first=toc)

    assert stream.seconds == pytest.approx(seconds)
