"""The audioBlockFormats of a channel (ITU-R BS.2076 §5.4.3), each handed on and forgotten.

Most blocks of a file differ in their times and numbers only. What they have in common is their
form, which is read, and judged, once: a block is its form, its times and its numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.adm.model import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The elements whose text is a number that moves from block to block.
NUMBERS = ("position", "gain", "width", "height", "depth")
# Stands in a form for the text of such an element: no XML has this character.
NUMBER = "\0"
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_DB_PER_DECADE = 20
_NAN = float("nan")


@dataclass(slots=True, eq=False)
class Form:
    """What blocks have in common: all but the values of their own attributes and their numbers.

    ``kind`` is the channel's type (DirectSpeakers, Objects or empty), ``first`` whether the block
    is the first one of its channel, ``sample_rate`` the file's in hertz. ``numbers`` names the
    numbers in their order: those of a position by its coordinate, the others by their element.
    ``interpolation`` is the jumpPosition's interpolationLength in seconds, None without a number.
    """

    kind: str
    first: bool
    sample_rate: int
    attributes: tuple[str, ...]
    children: list[Node]
    numbers: tuple[str, ...]
    interpolation: float | None = field(init=False)
    gain_in_db: bool = field(init=False)
    zero_importance: bool = field(init=False)
    detailed: bool = field(init=False)

    def __post_init__(self) -> None:
        """Work out what is asked of every block."""
        jumps = self.all("jumpPosition")
        length = jumps[0].attributes.get("interpolationLength", "") if jumps else ""
        self.interpolation = float(length) if _NUMBER.fullmatch(length) else None
        gains = self.all("gain")
        self.gain_in_db = bool(gains) and gains[0].attributes.get("gainUnit") == "dB"
        self.zero_importance = self.text("importance") == "0"
        self.detailed = self.zero_importance or not set(self.numbers) <= {"X", "Y", "Z"}

    def all(self, name: str) -> list[Node]:
        """Return the children of this name."""
        return [child for child in self.children if child.name == name]

    def text(self, name: str) -> str | None:
        """Return the text of the first child of this name."""
        return next((child.text for child in self.children if child.name == name), None)


@dataclass(slots=True, eq=False)
class Block:
    """One audioBlockFormat; ``index`` counts from 1 in its channel.

    Times are in units of 1/100,000 s, None when missing or malformed; ``previous_end`` is where the
    block before this one ends. ``numbers`` are the values of ``form.numbers``, NaN where ``texts``
    has no number; ``malformed`` says that there is such a place.
    """

    channel: str
    index: int
    identifier: str
    form: Form
    attributes: dict[str, str]
    texts: list[str]
    start: int | None
    duration: int | None
    previous_end: int | None
    numbers: list[float]
    malformed: bool

    @property
    def location(self) -> str:
        """What names the block: its identifier, or its channel's and its index."""
        return self.identifier or f"{self.channel}, block {self.index}"

    @property
    def end(self) -> int | None:
        """Where the block ends."""
        if self.start is None or self.duration is None:
            return None
        return self.start + self.duration

    def number(self, name: str) -> float | None:
        """Return the first number of this name, None when it is missing or malformed."""
        for each, value in zip(self.form.numbers, self.numbers, strict=True):
            if each == name:
                return None if value != value else value  # noqa: PLR0124 - true of NaN only
        return None

    @property
    def linear_gain(self) -> float | None:
        """The gain as a factor, infinite past all floats, None when missing or malformed."""
        gain = self.number("gain")
        if gain is None or not self.form.gain_in_db:
            return gain
        try:
            return float(10 ** (gain / _DB_PER_DECADE))
        except OverflowError:
            return math.inf

    def node(self) -> Node:
        """Return the whole block as an element."""
        texts = iter(self.texts)
        children = [_filled(child, texts) for child in self.form.children]
        return Node("audioBlockFormat", self.attributes, children=children)


@dataclass(slots=True, eq=False)
class Run:
    """Blocks of one form in a row, which say no more than where an object is and when.

    ``index`` is the first one's, ``previous_end`` where the block before it ends. All columns are
    as long: ``numbers`` has one for each of ``form.numbers``, all finite; times are as a block's.
    """

    channel: str
    index: int
    form: Form
    identifiers: tuple[str, ...]
    starts: list[int]
    durations: list[int]
    numbers: list[list[float]]
    previous_end: int | None

    @property
    def end(self) -> int:
        """Where the last block ends."""
        return self.starts[-1] + self.durations[-1]

    def column(self, name: str) -> list[float]:
        """Return the numbers of this name, zeros when there are none."""
        if name not in self.form.numbers:
            return [0.0] * len(self.starts)
        return self.numbers[self.form.numbers.index(name)]


class DetailedBlock(Block):
    """A block that says more than its place: its gain, its size or its importance."""

    __slots__ = ()


def _filled(node: Node, texts: Iterator[str]) -> Node:
    children = [_filled(child, texts) for child in node.children]
    text = next(texts, "").strip() if node.text == NUMBER else node.text
    return Node(node.name, node.attributes, text, children)


def read_numbers(texts: Sequence[str]) -> tuple[list[float], bool]:
    """Return the numbers, NaN where there is none, and whether there is such a place."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return _read_carefully(texts)
    total = sum(numbers)
    # float() also takes infinity, NaN and underscores, which XML Schema's decimals do not have.
    if total - total == 0 and "_" not in "".join(texts):
        return numbers, False
    return _read_carefully(texts)


def _read_carefully(texts: Sequence[str]) -> tuple[list[float], bool]:
    numbers = [float(text) if _NUMBER.fullmatch(text) else _NAN for text in texts]
    return numbers, any(number != number for number in numbers)  # noqa: PLR0124 - as above
