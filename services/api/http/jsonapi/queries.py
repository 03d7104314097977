"""What a list is asked for, and what a document shows.

JSON:API, Fetching Data: https://jsonapi.org/format/#fetching
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.api.domain.queries import Order, Position

DEFAULT_SIZE = 20

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a document shows.

    ``include`` names the relationships whose resources come along, None when nothing was said.
    ``fields`` has the only fields to show of the types in it. ``given`` are the parameters as they
    were, for links.
    """

    include: tuple[str, ...] | None = None
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    given: Pairs = ()


WHOLE = Shape()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a list is asked for.

    ``filters`` has the accepted values by the query's field; an empty set matches nothing.
    ``by_cursor`` asks for pages by position, after or before one, instead of by number. ``others``
    are the parameters besides the page, which the links keep.
    """

    number: int = 1
    size: int = DEFAULT_SIZE
    filters: Mapping[str, Any] = field(default_factory=dict)
    order: Order = ()
    by_cursor: bool = False
    after: Position | None = None
    before: Position | None = None
    shape: Shape = WHOLE
    others: Pairs = ()

    @property
    def skip(self) -> int:
        """How many resources come before the page."""
        return (self.number - 1) * self.size

    @property
    def slice_(self) -> dict[str, Any]:
        """The arguments of the core's query."""
        return {
            **self.filters,
            "skip": self.skip,
            "limit": self.size,
            "order": self.order,
            "after": self.after,
            "before": self.before,
        }
