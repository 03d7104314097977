"""Pictures of the sound: loudness over time, and each track's peak.

They show without the style sheet too: it only gives them the page's colours.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from services.validator.html.markup import Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.validator.report import Audio

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 190, 34, 18
_LOWEST = -60.0
_LEVELS = (0, -10, -20, -30, -40, -50, -60)
_TICKS = 6
_MOST_NUMBERS = 32
_HOT_DBFS = -0.1
_MINUTE = 60
# So that they are told apart in black and white.
_STROKES = {"momentary": "silver", "short": "currentColor"}


def loudness_chart(audio: Audio) -> Markup:
    """Draw momentary and short-term loudness, and the integrated one as a line across."""
    last = max((each.seconds for each in audio.moments), default=0.0) or 1.0
    momentary = [(each.seconds / last, each.momentary_lufs) for each in audio.moments]
    short = [(each.seconds / last, each.short_term_lufs) for each in audio.moments]
    parts = [*_levels(), *_times(last), *_lines(momentary, "momentary"), *_lines(short, "short")]
    if audio.integrated_lufs is not None:
        y = _y(audio.integrated_lufs)
        parts.append(_across("level", y, stroke="currentColor", stroke_dasharray="6 4"))
    return _chart("Loudness over time", parts)


def peak_chart(audio: Audio) -> Markup:
    """Draw a bar for each track, from the floor to its highest sample."""
    width = (_WIDTH - _LEFT) / max(len(audio.tracks), 1)
    every = -(-len(audio.tracks) // _MOST_NUMBERS)
    parts = list(_levels())
    for index, track in enumerate(audio.tracks):
        left = _LEFT + index * width
        if track.peak_dbfs is not None:
            parts.append(_bar(left, width, track.peak_dbfs, f"track {track.number}"))
        if index % every == 0:
            middle = f"{left + width / 2:.1f}"
            parts.append(_text(str(track.number), middle, _HEIGHT - 5, "middle"))
    return _chart("Peak of each track", parts)


def _bar(left: float, width: float, peak: float, name: str) -> Markup:
    top, hot = _y(peak), peak >= _HOT_DBFS
    return tag(
        "rect",
        tag("title", f"{name}: {peak:g} dBFS"),
        class_="hot" if hot else "bar",
        fill="red" if hot else "currentColor",
        x=f"{left + width * 0.1:.2f}",
        y=top,
        width=f"{width * 0.8:.2f}",
        height=round(_HEIGHT - _BOTTOM - top, 1),
    )


def _chart(name: str, parts: Sequence[Markup]) -> Markup:
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return tag("svg", tag("title", name), joined(parts), viewBox=box, role="img", font_size=10)


def _y(level: float) -> float:
    """Return the height of a level in decibels; what lies below the floor lies on it."""
    share = min(max(level, _LOWEST), 0.0) / _LOWEST
    return round(6 + share * (_HEIGHT - _BOTTOM - 6), 1)


def _x(share: float) -> float:
    return round(_LEFT + share * (_WIDTH - _LEFT), 1)


def _levels() -> Iterator[Markup]:
    for level in _LEVELS:
        y = _y(level)
        yield _across("grid", y, stroke="silver")
        yield _text(str(level), _LEFT - 4, y + 3, "end")


def _across(name: str, y: float, **how: str) -> Markup:
    return tag("line", class_=name, **how, x1=_LEFT, x2=_WIDTH, y1=y, y2=y)


def _times(last: float) -> Iterator[Markup]:
    for tick in range(_TICKS + 1):
        minutes, seconds = divmod(round(last * tick / _TICKS), _MINUTE)
        anchor = "end" if tick == _TICKS else "middle"
        yield _text(f"{minutes}:{seconds:02}", _x(tick / _TICKS), _HEIGHT - 5, anchor)


def _text(text: str, x: float | str, y: float, anchor: str) -> Markup:
    return tag("text", text, x=x, y=y, text_anchor=anchor)


def _lines(points: Sequence[tuple[float, float | None]], name: str) -> Iterator[Markup]:
    """Draw a line through the levels that are there, with gaps where there are none."""
    for there, run in groupby(points, key=lambda point: point[1] is not None):
        if there:
            drawn = " ".join(f"{_x(share)},{_y(level or 0.0)}" for share, level in run)
            yield tag("polyline", class_=name, fill="none", stroke=_STROKES[name], points=drawn)
