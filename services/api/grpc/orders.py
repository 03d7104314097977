"""``order_by`` of lists (AIP-132)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.api.domain.errors import InvalidQuery

if TYPE_CHECKING:
    from collections.abc import Collection

    from services.api.domain.queries import Order

FIELDS: Final = {"create_time": "created_at", "update_time": "updated_at", "state": "status"}
"""The contract's words for the core's."""

_EXCERPT: Final = 60


def parse_order(text: str, fields: Collection[str]) -> Order:
    """The order that a request names by these fields of the contract; raises InvalidQuery."""
    order: dict[str, bool] = {}
    for part in text.split(",") if text.strip() else ():
        match part.split():
            case [field, *rest] if field in fields and rest in ([], ["desc"]):
                if FIELDS[field] in order:
                    raise _refusal(f"The {field} is named twice")
                order[FIELDS[field]] = bool(rest)
            case _:
                raise _refusal(f"This is no field to order by: {part.strip()[:_EXCERPT]!r}")
    return tuple(order.items())


def _refusal(what: str) -> InvalidQuery:
    return InvalidQuery("order_by", f"{what}.")
