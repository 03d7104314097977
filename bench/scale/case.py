"""One operation that is timed, on one database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FLAT: Final = 1.3
"""How many times as long as on the smallest database an operation may take."""
DEEP: Final = 2.0
"""The same for a numbered page in the middle of a list."""


async def _nothing() -> None:
    """What needs nothing beforehand."""


@dataclass(frozen=True, slots=True)
class Case:
    """``run`` is timed; what ``prepare`` makes before is handed to it."""

    name: str
    run: Callable[[Any], Awaitable[object]]
    prepare: Callable[[], Awaitable[Any]] = _nothing
    allowed: float = FLAT
