"""Subtitles as text: what WebVTT and SubRip files have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.adm.source import Source

MAX_BYTES = 2 << 20
ARROW = "-->"
SUBRIP = "SubRip"
WEBVTT = "WebVTT"
_NEWLINE = re.compile(r"\r\n|\n|\r")

Lines = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue: the line of its times, its name, both times in seconds, and whether it has text.

    ``times`` is None when ``timing``, the line as it is, says none.
    """

    line: int
    name: str
    timing: str
    times: tuple[float, float] | None
    has_text: bool


@dataclass(slots=True)
class Subtitles:
    """A read file; ``stray`` are the lines where a block starts that is no cue.

    ``header`` is whether a WebVTT file starts as it must; always true for SubRip.
    """

    form: str
    header: bool = True
    cues: list[Cue] = field(default_factory=list)
    stray: list[int] = field(default_factory=list)


def read_text(source: Source) -> str:
    """Return the text; raises FormatError where it is not UTF-8, or when it is too long."""
    if source.size > MAX_BYTES:
        raise FormatError(f"{source.size} bytes are more than subtitles have")
    try:
        return source.read(0, source.size).decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise FormatError("The text is not UTF-8", error.start) from error


def lines(text: str) -> list[str]:
    """Return the lines, however they end."""
    return _NEWLINE.split(text)


def blocks(text: list[str], first: int = 1) -> Iterator[Lines]:
    """Yield runs of lines that are not empty, each line with its number; ``first`` is the first."""
    block: Lines = []
    for number, line in enumerate(text, first):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def read_cue(block: Lines, pattern: re.Pattern[str]) -> Cue | None:
    """Read a block whose first or second line has the times; None when it is no cue."""
    at = next((index for index, (_, line) in enumerate(block[:2]) if ARROW in line), None)
    if at is None:
        return None
    number, timing = block[at]
    name = block[0][1].strip() if at else ""
    return Cue(number, name, timing, _times(timing, pattern), len(block) > at + 1)


def _times(timing: str, pattern: re.Pattern[str]) -> tuple[float, float] | None:
    found = pattern.fullmatch(timing.strip())
    if found is None:
        return None
    hours, minutes, seconds, millis, *end = (int(part or 0) for part in found.groups())
    return _seconds(hours, minutes, seconds, millis), _seconds(*end)


def _seconds(hours: int, minutes: int, seconds: int, millis: int) -> float:
    return hours * 3600 + minutes * 60 + seconds + millis / 1000
