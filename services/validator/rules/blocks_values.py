"""What the elements of an audioBlockFormat may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule
from shared.adm.blocks import Block, DetailedBlock, Form
from shared.adm.model import OBJECTS
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.validator.profile import Profile

_PROFILE = "Dolby Atmos Master ADM Profile v1.0, audioBlockFormat"
_BS_2076 = "ITU-R BS.2076 §5.4.3"
_AXES = ("X", "Y", "Z")
_SIZES = ("width", "height", "depth")
_FLAGS = ("0", "1")
_GAIN_UNITS = ("linear", "dB")
_MAX_IMPORTANCE = 10
# All blocks of an object but the first are reached in 250 samples at 48 kHz, 500 at 96 kHz.
_INTERPOLATION_SECONDS = 250 / 48_000
_HALF_A_SAMPLE = 0.5


@rule(
    Form,
    "block_cartesian_wrong",
    spec=_PROFILE,
    fix="Write <cartesian>1</cartesian> in every block.",
)
def block_cartesian_wrong(form: Form, _: Profile) -> Iterator[Finding]:
    """Places are in a room of which the coordinates are Cartesian."""
    yield from _choice(form, "cartesian", ("1",))


@rule(
    Form,
    "jump_position_wrong",
    spec=_PROFILE,
    fix="Write jumpPosition 1 with an interpolationLength in every block of an object.",
)
def jump_position_wrong(form: Form, _: Profile) -> Iterator[Finding]:
    """An object jumps to each block's place in a fixed short time: it does not glide there."""
    yield from _choice(form, "jumpPosition", ("1",))


@rule(
    Form,
    "interpolation_length_wrong",
    spec=_PROFILE,
    fix="Write interpolationLength 0.000000 in an object's first block and 0.005208 in all others.",
)
def interpolation_length_wrong(form: Form, _: Profile) -> Iterator[Finding]:
    """The first place holds at once, each later one after 250 samples at 48 kHz, 500 at 96 kHz."""
    if form.kind != OBJECTS or not form.all("jumpPosition"):
        return
    right = 0 if form.first else _INTERPOLATION_SECONDS * form.sample_rate
    stated = form.interpolation
    if stated is None or abs(stated * form.sample_rate - right) > _HALF_A_SAMPLE:
        yield Finding(
            detail="The block is not reached in the time that Atmos renderers use.",
            measured="no number" if stated is None else f"{stated * form.sample_rate:g} samples",
            allowed=f"{right:g} samples",
        )


@rule(Form, "block_flag_wrong", spec=_BS_2076, fix="Write diffuse and channelLock as 0 or 1.")
def block_flag_wrong(form: Form, _: Profile) -> Iterator[Finding]:
    """An object is diffuse or not, and locked to the nearest speaker or not."""
    yield from _choice(form, "diffuse", _FLAGS)
    yield from _choice(form, "channelLock", _FLAGS)


def _choice(form: Form, name: str, allowed: tuple[str, ...]) -> Iterator[Finding]:
    for child in form.all(name):
        if form.kind and _whole(child.text) not in allowed:
            yield Finding(
                detail=f"The value of {name} is not allowed.",
                measured=child.text,
                allowed=" or ".join(allowed),
            )


def _whole(text: str) -> str:
    """Return a whole number without the decimals that some writers give it."""
    return text.rstrip("0").removesuffix(".") if "." in text else text


@rule(
    Form,
    "importance_out_of_range",
    spec=_BS_2076,
    fix="Write importance as a whole number from 0 to 10.",
)
def importance_out_of_range(form: Form, _: Profile) -> Iterator[Finding]:
    """An importance is a step from 0, may be dropped, to 10, must be heard."""
    if form.kind == OBJECTS:
        yield from _choice(form, "importance", _IMPORTANCES)


_IMPORTANCES = tuple(map(str, range(_MAX_IMPORTANCE + 1)))


@rule(
    DetailedBlock,
    "importance_without_silence",
    spec=_PROFILE,
    fix="Write gain 0 in every block with importance 0, or raise its importance.",
)
def importance_without_silence(block: DetailedBlock, _: Profile) -> Iterable[Finding]:
    """An object of importance 0 may be dropped by a renderer, so it must be silent there."""
    if not block.form.zero_importance or block.form.kind != OBJECTS or block.malformed:
        return ()
    gain = block.number("gain")
    if gain == 0:
        return ()
    return [
        Finding(
            detail="The block has importance 0, but is not silent.",
            location=block.location,
            measured="no gain" if gain is None else f"gain {gain:g}",
            allowed="gain 0",
        )
    ]


@rule(Form, "gain_unit_wrong", spec=_BS_2076, fix="Write gainUnit linear or dB, or leave it out.")
def gain_unit_wrong(form: Form, _: Profile) -> Iterator[Finding]:
    """A gain is a factor or in decibels."""
    for gain in form.all("gain") if form.kind == OBJECTS else ():
        unit = gain.attributes.get("gainUnit", "linear")
        if unit not in _GAIN_UNITS:
            yield Finding(
                detail="The unit of the gain is unknown.",
                measured=unit,
                allowed=" or ".join(_GAIN_UNITS),
            )


@rule(
    Form,
    "extent_incomplete",
    spec=_PROFILE,
    fix="Write width, height and depth together, or none of them.",
)
def extent_incomplete(form: Form, _: Profile) -> Iterator[Finding]:
    """An object's size is that of a cube: all three edges, or a point without any."""
    there = [name for name in _SIZES if form.all(name)]
    if form.kind == OBJECTS and 0 < len(there) < len(_SIZES):
        yield Finding(
            detail="The size of the object is incomplete.",
            measured=", ".join(there),
            allowed=", ".join(_SIZES),
        )


@rule(
    Block,
    "block_number_malformed",
    spec=_BS_2076,
    fix="Write positions, gain, width, height and depth as decimal numbers.",
)
def block_number_malformed(block: Block, _: Profile) -> Iterable[Finding]:
    """A place, a gain or a size that is no number."""
    if not block.malformed or not block.form.kind:
        return ()
    return [
        Finding(
            detail=f"The value of {name} is no decimal number.",
            location=block.location,
            measured=text.strip(),
            allowed="a decimal number",
        )
        for name, text, number in zip(block.form.numbers, block.texts, block.numbers, strict=True)
        if number != number  # noqa: PLR0124 - true of NaN only
    ]


@rule(
    Block,
    "position_out_of_range",
    spec=_BS_2076,
    fix="Keep every coordinate from -1 to 1: the walls of the room.",
)
def position_out_of_range(block: Block, _: Profile) -> Iterable[Finding]:
    """A place outside of the room."""
    numbers = block.numbers
    if not numbers or (min(numbers) >= -1 and max(numbers) <= 1):
        return ()
    return _outside(block, _AXES, -1, 1)


@rule(
    DetailedBlock,
    "extent_out_of_range",
    spec=_BS_2076,
    fix="Keep width, height and depth from 0, a point, to 1, the whole room.",
)
def extent_out_of_range(block: DetailedBlock, _: Profile) -> Iterable[Finding]:
    """A size below nothing, or beyond the room's."""
    return _outside(block, _SIZES, 0, 1)


def _outside(block: Block, names: tuple[str, ...], low: float, high: float) -> list[Finding]:
    return [
        Finding(
            detail=f"The value of {name} is out of range.",
            location=block.location,
            measured=f"{number:g}",
            allowed=f"{low} to {high}",
        )
        for name, number in zip(block.form.numbers, block.numbers, strict=True)
        if block.form.kind == OBJECTS and name in names and (number < low or number > high)
    ]


@rule(
    DetailedBlock,
    "extent_unequal",
    spec=_PROFILE,
    fix="Write the same value for width, height and depth.",
)
def extent_unequal(block: DetailedBlock, _: Profile) -> Iterable[Finding]:
    """An object has one size: the edge of a cube."""
    if block.malformed or block.form.kind != OBJECTS:
        return ()
    sizes = [block.number(name) for name in _SIZES]
    if None in sizes or len(set(sizes)) == 1:
        return ()
    return [
        Finding(
            detail="The edges of the object differ.",
            location=block.location,
            measured=", ".join(
                f"{name} {size:g}" for name, size in zip(_SIZES, sizes, strict=True)
            ),
            allowed="three equal values",
        )
    ]


@rule(
    DetailedBlock,
    "gain_negative",
    spec=_BS_2076,
    fix="Write a linear gain of 0 or more; to turn the phase, change the audio.",
)
def gain_negative(block: DetailedBlock, _: Profile) -> Iterable[Finding]:
    """A gain is a factor: below 0 it would turn the phase."""
    gain = _linear_gain(block)
    if gain is None or gain >= 0:
        return ()
    return [_gain(block, "The gain is negative.", gain)]


@rule(
    DetailedBlock,
    "gain_above_unity",
    spec=_PROFILE,
    severity=Severity.WARNING,
    fix="Bring the level into the audio and keep the gain at 1 or less.",
)
def gain_above_unity(block: DetailedBlock, _: Profile) -> Iterable[Finding]:
    """A gain that makes an object louder than its track may clip what no meter of tracks shows."""
    gain = _linear_gain(block)
    if gain is None or gain <= 1:
        return ()
    return [_gain(block, "The gain amplifies.", gain)]


def _linear_gain(block: DetailedBlock) -> float | None:
    return block.linear_gain if block.form.kind == OBJECTS else None


def _gain(block: Block, detail: str, gain: float) -> Finding:
    return Finding(detail=detail, location=block.location, measured=f"{gain:g}", allowed="0 to 1")
