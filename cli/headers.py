"""Header fields on the command line: ``Name: value``, or ``@FILE`` to keep them out of sight.

What is wrong is told by its place and never shown: it may be a secret.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OPTION: Final = "--header"

Headers = Annotated[
    list[str] | None,
    typer.Option(
        OPTION,
        help="A header field that the origin asks for, 'Name: value'; @FILE reads them line by "
        "line, out of sight of other users' process lists. Repeatable.",
    ),
]


def parse_headers(given: Iterable[str]) -> dict[str, str]:
    """The fields by name. Raises typer.BadParameter."""
    found: dict[str, str] = {}
    for line in _lines(given):
        name, colon, value = line.partition(":")
        if not (name.strip() and colon):
            raise _bad("A header field is written as 'Name: value'.")
        if name.strip().lower() in map(str.lower, found):
            raise _bad("A header field is given twice.")
        found[name.strip()] = value.strip()
    return found


def _lines(given: Iterable[str]) -> Iterator[str]:
    for item in given:
        if item.startswith("@"):
            yield from _read(Path(item[1:]))
        else:
            yield item


def _read(path: Path) -> Sequence[str]:
    try:
        return [line for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise _bad(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise _bad(f"{path} is no text.") from None


def _bad(detail: str) -> typer.BadParameter:
    return typer.BadParameter(detail, param_hint=OPTION)
