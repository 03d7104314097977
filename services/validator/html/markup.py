"""Elements of HTML and SVG whose text cannot become markup."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_VOID = {"meta"}


class Markup(str):
    """Text that is markup already; all other text is escaped when it goes into an element."""

    __slots__ = ()


def tag(name: str, /, *inner: str, **attributes: object) -> Markup:
    """Return an element; ``class_`` and ``stroke_width`` become ``class`` and ``stroke-width``."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{named}>")
    return Markup(f"<{name}{named}>{joined(inner)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Return parts one after the other, escaped where they are text."""
    return Markup("".join(each if isinstance(each, Markup) else escape(each) for each in parts))


def raw(text: str) -> Markup:
    """Return text of our own as it is: a style sheet, a doctype."""
    return Markup(text)
