"""Subtitles: readable, in order, and never empty."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from services.validator.formats.cues import MAX_BYTES, Subtitles
from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.cues import Cue
    from services.validator.profile import Profile
    from shared.adm.source import FormatError

_VTT = "W3C WebVTT §4"
_SRT = "SubRip"
_FORMS = {
    "WebVTT": "mm:ss.mmm --> mm:ss.mmm, hours where there are any",
    "SubRip": "hh:mm:ss,mmm --> hh:mm:ss,mmm",
}


@dataclass(frozen=True, slots=True)
class SubtitleText:
    """The bytes of the file: how many, and why they are no text, if they are none."""

    size: int
    broken: FormatError | None = None


@rule(
    SubtitleText,
    "subtitles_too_large",
    fix="Deliver the subtitles of one track, without anything else in the file.",
)
def subtitles_too_large(text: SubtitleText, _: Profile) -> Iterator[Finding]:
    """The subtitles of a track are a short text."""
    if text.size > MAX_BYTES:
        yield Finding(
            detail="The file is too large for subtitles.",
            measured=f"{text.size} bytes",
            allowed=f"at most {MAX_BYTES} bytes",
        )


@rule(
    SubtitleText,
    "subtitles_not_utf8",
    spec=f"{_VTT}; RFC 3629",
    fix="Save the subtitles as UTF-8.",
)
def subtitles_not_utf8(text: SubtitleText, _: Profile) -> Iterator[Finding]:
    """The text is coded as UTF-8: in any other coding accents are lost."""
    if text.broken is not None and text.size <= MAX_BYTES:
        yield Finding(
            detail="The text is not UTF-8.", location=f"byte {text.broken.offset}", allowed="UTF-8"
        )


@rule(
    Subtitles,
    "webvtt_header_wrong",
    spec=f"{_VTT}.1",
    fix="Start the file with a line that says WEBVTT, and leave the next line empty.",
)
def webvtt_header_wrong(subtitles: Subtitles, _: Profile) -> Iterator[Finding]:
    """A WebVTT file starts with the word WEBVTT: players refuse it otherwise."""
    if not subtitles.header:
        yield Finding(
            detail="The first line is no WebVTT header.", location="line 1", allowed="WEBVTT"
        )


@rule(Subtitles, "subtitles_empty", spec=_VTT, fix="Deliver subtitles that have cues.")
def subtitles_empty(subtitles: Subtitles, _: Profile) -> Iterator[Finding]:
    """There is something to show."""
    if not subtitles.cues:
        yield Finding(detail=f"There is no cue: this is no {subtitles.form} file.", measured=0)


@rule(
    Subtitles,
    "subtitles_stray_text",
    spec=f"{_VTT}.1",
    fix="Give each block of lines its times, and write no empty line inside of a cue.",
)
def subtitles_stray_text(subtitles: Subtitles, _: Profile) -> Iterator[Finding]:
    """Each block of lines is a cue with its times: any other text is never shown."""
    for line in subtitles.stray if subtitles.cues else ():
        yield Finding(detail="These lines belong to no cue.", location=f"line {line}")


@rule(
    Subtitles,
    "cue_time_malformed",
    spec=f"{_VTT}.1; {_SRT}",
    fix="Write both times of each cue in the form of the file, with an arrow between them.",
)
def cue_time_malformed(subtitles: Subtitles, _: Profile) -> Iterator[Finding]:
    """The line of times has the form that players read."""
    for cue in subtitles.cues:
        if cue.times is None:
            yield Finding(
                detail="The times of a cue cannot be read.",
                location=f"line {cue.line}",
                measured=cue.timing,
                allowed=_FORMS[subtitles.form],
            )


@rule(
    Subtitles,
    "cue_end_not_after_start",
    spec=f"{_VTT}.1",
    fix="Let each cue end after it starts.",
)
def cue_end_not_after_start(subtitles: Subtitles, _: Profile) -> Iterator[Finding]:
    """A cue that ends when it starts, or before, is never seen."""
    for cue, (start, end) in _timed(subtitles):
        if end <= start:
            yield Finding(
                detail="A cue does not end after its start.",
                location=f"line {cue.line}",
                measured=f"{end:.3f} s",
                allowed=f"after {start:.3f} s",
            )


@rule(
    Subtitles,
    "cue_order_wrong",
    spec=f"{_VTT}.1",
    fix="Sort the cues by their start.",
)
def cue_order_wrong(subtitles: Subtitles, _profile: Profile) -> Iterator[Finding]:
    """No cue starts before the one above it."""
    for (_above, (before, _)), (cue, (start, _end)) in pairwise(_timed(subtitles)):
        if start < before:
            yield Finding(
                detail="A cue starts before the one above it.",
                location=f"line {cue.line}",
                measured=f"{start:.3f} s",
                allowed=f"at least {before:.3f} s",
            )


def _timed(subtitles: Subtitles) -> Iterator[tuple[Cue, tuple[float, float]]]:
    """Yield the cues whose times can be read, with them."""
    return ((cue, cue.times) for cue in subtitles.cues if cue.times is not None)


@rule(
    Subtitles,
    "cue_empty",
    spec=f"{_VTT}.1",
    fix="Give the cue a text, or leave it out.",
)
def cue_empty(subtitles: Subtitles, _: Profile) -> Iterator[Finding]:
    """Each cue has a text."""
    for cue in subtitles.cues:
        if not cue.has_text:
            yield Finding(detail="A cue has no text.", location=f"line {cue.line}")


@rule(
    Subtitles,
    "srt_number_wrong",
    severity=Severity.WARNING,
    spec=_SRT,
    fix="Number the cues from 1 on, one by one.",
)
def srt_number_wrong(subtitles: Subtitles, _: Profile) -> Iterator[Finding]:
    """SubRip numbers its cues in order; some tools stop where they are not."""
    if subtitles.form == _SRT:
        for number, cue in enumerate(subtitles.cues, 1):
            if cue.name != str(number):
                yield Finding(
                    detail="A cue has another number.",
                    location=f"line {cue.line}",
                    measured=cue.name or "none",
                    allowed=number,
                )
