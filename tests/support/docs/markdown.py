"""Tables in Markdown."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPECIAL = str.maketrans({"|": "\\|", "*": "\\*", "_": "\\_", "`": "\\`", "\n": " "})


def cell(text: str) -> str:
    """Return text that stays as it is in a cell of a table."""
    return html.escape(text, quote=False).translate(_SPECIAL)


def table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table; ``head`` is its first line."""
    columns = head.count("|") - 1
    lines = [head, "|" + " --- |" * columns, *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join([*lines, ""])
