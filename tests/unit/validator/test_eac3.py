"""The head of an E-AC-3 frame: addbsi is found behind each optional field (Annex E)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.validator.formats import eac3
from services.validator.formats.dec3 import Dec3, Substream, parse_dec3
from services.validator.formats.eac3_stream import MAX_KEPT, Eac3Stream, read_stream
from services.validator.formats.emdf import Oamd
from services.validator.formats.mp4 import Track
from services.validator.rules import eac3 as rules
from shared.adm.source import FormatError
from tests.support.media.bits import Bits
from tests.support.media.eac3 import Joc, plain_frames, with_joc

if TYPE_CHECKING:
    from services.validator.profile import Profile

TRACK = Track(timescale=48_000, timed=100 * 1536)
ATMOS = f"1{1:06b}{1:08b}{16:08b}"
LEVELS = "11111 0"
DUAL = "1 11111 1 11111111 1 11111111 1"
# What stands between bsid and addbsi, and the other fields of such a frame (§E.1.2.2).
HEADS: dict[str, tuple[str, dict[str, object]]] = {
    "plain": (f"{LEVELS} 0 0", {}),
    "compressed": ("11111 1 11111111 0 0", {}),
    "fewer blocks": (f"{LEVELS} 0 0 1", {"blocks": "10"}),
    "a map of channels": (f"{LEVELS} 1 {'1' * 16} 0 0", {"kind": 1}),
    "converted": (f"{LEVELS} 0 0 1 111111", {"kind": 2, "blocks": "10"}),
    "not converted": (f"{LEVELS} 0 0 0", {"kind": 2, "blocks": "10"}),
    "converted, six blocks": (f"{LEVELS} 0 0 111111", {"kind": 2}),
    "mixing 5.1": (
        f"{LEVELS} 1 11 111111 111111 1 11111 1 111111 1 111111 00 0 0",
        {"acmod": 7, "lfe": 1},
    ),
    "mixing a dependent": (
        f"{LEVELS} 0 1 11 111111 111111 1 11111 0",
        {"acmod": 7, "lfe": 1, "kind": 1},
    ),
    "mixing mono": (
        f"{LEVELS} 1 0 0 01 11111 1 {'1' * 14} 1 1 11111 0 0 0 0 0 0",
        {"acmod": 1},
    ),
    "mixing one block": (
        f"{LEVELS} 1 0 0 11 00000 {'1' * 16} 1 11111 0 1",
        {"blocks": "00"},
    ),
    "dual mono, plain": (f"{LEVELS} {LEVELS} 0 0", {"acmod": 0}),
    "dual mono": (
        f"{LEVELS} {LEVELS} 1 0 1 111111 0 10 {'1' * 12} 1 {'1' * 14} 1 {'1' * 14} 0 {DUAL}",
        {"acmod": 0},
    ),
    "information, stereo": (f"{LEVELS} 0 1 11111 1111 0 1", {}),
    "information, 5.0": (f"{LEVELS} 0 1 11111 11 1 11111111 1", {"acmod": 7}),
    "information, reduced": (f"{LEVELS} 0 1 11111 1111 0", {"rate": "11", "blocks": "00"}),
}


def head(rest: str = f"{LEVELS} 0 0", **fields: object) -> bytes:
    """Return a frame of 128 bytes; ``rest`` are the bits from behind bsid to addbsi."""
    values: dict[str, object] = {"kind": 0, "substream": 0, "rate": "00", "blocks": "11"}
    values |= {"acmod": 2, "lfe": 0, "bsid": 16, "addbsi": ATMOS} | fields
    bits = "{kind:02b}{substream:03b}00000111111{rate}{blocks}{acmod:03b}{lfe:b}{bsid:05b}"
    whole = Bits.of(eac3.SYNC).bits + bits.format_map(values) + rest + str(values["addbsi"])
    return bytes(Bits(whole.replace(" ", ""))).ljust(128, b"\0")


def stream_of(*frames: bytes) -> Eac3Stream:
    return read_stream(((0, frame) for frame in frames), Eac3Stream())


@pytest.mark.parametrize("name", HEADS)
def test_addbsi_is_found_behind_every_field(name: str) -> None:
    rest, fields = HEADS[name]

    assert eac3.parse_frame(head(rest, **fields)).complexity == 16


def test_an_addbsi_of_one_byte_is_another_s() -> None:
    assert eac3.parse_frame(head(addbsi="1 000000 00000001")).complexity is None


@pytest.mark.parametrize(("code", "rate"), [("00", 24_000), ("01", 22_050), ("10", 16_000)])
def test_a_reduced_rate_has_six_blocks(code: str, rate: int) -> None:
    frame = eac3.parse_frame(head(rate="11", blocks=code))

    assert (frame.sample_rate, frame.blocks) == (rate, 6)


@pytest.mark.parametrize("bsid", [11, 16])
def test_each_version_is_read(bsid: int) -> None:
    assert eac3.frame_size(head(bsid=bsid)) == 128


@pytest.mark.parametrize(
    "frame",
    [head(bsid=10), head(bsid=17), head(kind=3), head(rate="11", blocks="11"), head()[:5]],
    ids=["bsid 10", "bsid 17", "type 3", "no rate", "five bytes"],
)
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(FormatError):
        eac3.parse_frame(frame)


def test_a_head_that_is_cut_is_said_where() -> None:
    with pytest.raises(FormatError) as error:
        Eac3Stream().add(1000, head()[:8])

    assert error.value.offset == 1000


@pytest.mark.parametrize("other", [{"acmod": 3}, {"lfe": 1}, {"rate": "11", "blocks": "00"}])
def test_the_first_change_is_told(other: dict[str, object]) -> None:
    assert stream_of(head(), head(f"{LEVELS} 0 0", **other), head(acmod=7)).changed_at == 1


def test_fewer_blocks_are_a_change() -> None:
    rest, fields = HEADS["fewer blocks"]

    assert stream_of(head(), head(rest, **fields)).changed_at == 1


def test_other_programmes_are_only_counted() -> None:
    dependent = head(f"{LEVELS} 0 0 0", kind=1, substream=2)
    stream = stream_of(head(), dependent, head(substream=1), head(f"{LEVELS} 0 0 0", kind=1))

    assert (stream.frames, stream.independents, stream.dependents) == (1, {0, 1}, {2})


def test_what_is_kept_of_a_stream_is_bounded() -> None:
    plain = plain_frames()[0]
    stream = stream_of(
        *(with_joc(plain, Joc(signalled=n, oamd_objects=n)) for n in range(9, 30)), *[head()] * 20
    )

    assert len(stream.complexities) == len(stream.programmes) == MAX_KEPT
    assert len(stream.crc_failures) == MAX_KEPT


@pytest.mark.parametrize("half", [Joc(oamd_objects=None), Joc(joc_objects=None)])
def test_one_payload_alone_carries_nothing(half: Joc) -> None:
    whole, part = (with_joc(plain_frames()[0], each) for each in (Joc(), half))
    stream = stream_of(whole, part, whole, part)

    assert (stream.carrying, stream.longest_gap) == (2, 1)


@pytest.mark.parametrize(
    ("payload", "complexity"),
    [("1400200f000110", 16), ("1400200f000010", None), ("1400200f0001", None)],
    ids=["extended", "not of type A", "a byte too many"],
)
def test_dec3_may_announce_atmos(payload: str, complexity: int | None) -> None:
    said = parse_dec3(bytes.fromhex(payload))

    assert said.complexity == complexity
    assert Eac3Stream(dec3=said).claims_atmos is (complexity is not None)


def described(dec3: Dec3 | None = None, frames: int = 100, **more: object) -> Eac3Stream:
    """Return a stream of stereo frames of 32 ms in an MP4 track."""
    stream = stream_of(head())
    stream.dec3 = dec3 or Dec3(100, (Substream(48_000, 2, lfe=False, dependents=0),), 16)
    stream.frames = stream.signalled = stream.carrying = frames
    for name, value in more.items():
        setattr(stream, name, value)
    return stream


def codes(stream: Eac3Stream, profile: Profile) -> set[str]:
    checks = (rules.dec3_differs, rules.track_duration_differs, rules.joc_payload_missing)
    return {check.__name__ for check in checks if list(check(stream, profile))}


@pytest.mark.parametrize(
    ("timed", "timescale", "told"),
    [
        (99 * 1536, 48_000, False),
        (101 * 1536, 48_000, False),
        (99 * 1536 - 1, 48_000, True),
        (101 * 1536 + 1, 48_000, True),
        (0, 0, False),
    ],
)
def test_a_track_may_differ_by_a_frame(
    timed: int, timescale: int, *, told: bool, atmos: Profile
) -> None:
    track = replace(TRACK, timed=timed, timescale=timescale)

    assert codes(described(track=track), atmos) == ({"track_duration_differs"} if told else set())


def test_a_broken_stream_is_not_compared(atmos: Profile) -> None:
    other = Dec3(100, (Substream(44_100, 7, lfe=True, dependents=1),), 16)
    track = replace(TRACK, timed=1, timescale=48_000)
    stream = described(other, track=track)

    assert codes(stream, atmos) == {"dec3_differs", "track_duration_differs"}
    stream.broken = FormatError("cut", 9)
    assert codes(stream, atmos) == set()


def test_dec3_cannot_tell_a_reduced_rate(atmos: Profile) -> None:
    reduced = Dec3(100, (Substream(0, 2, lfe=False, dependents=0),), 16)

    assert codes(described(reduced), atmos) == set()


@pytest.mark.parametrize(
    ("carrying", "gap", "told"),
    [(990, 10, False), (989, 10, True), (1000, 31, False), (1000, 32, True)],
)
def test_nearly_every_frame_carries_objects(
    carrying: int, gap: int, *, told: bool, atmos: Profile
) -> None:
    stream = described(frames=1000, carrying=carrying, longest_gap=gap)

    assert codes(stream, atmos) == ({"joc_payload_missing"} if told else set())


@pytest.mark.parametrize(("complexity", "told"), [(0, 1), (1, 0), (16, 0), (17, 1)])
def test_a_complexity_is_one_to_sixteen(complexity: int, told: int, atmos: Profile) -> None:
    stream = described(complexities={complexity})

    assert len(list(rules.complexity_out_of_range(stream, atmos))) == told


@pytest.mark.parametrize(("lfe", "rebuilt", "told"), [(0, 16, 0), (0, 15, 1), (2, 14, 0)])
def test_joc_rebuilds_all_but_each_lfe(lfe: int, rebuilt: int, told: int, atmos: Profile) -> None:
    stream = described(programmes={(Oamd(16, 6, lfe), rebuilt)})

    assert len(list(rules.joc_objects_differ(stream, atmos))) == told
