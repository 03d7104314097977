"""Pages by cursor: where an item stands in a list, as an opaque text.

The profile "Cursor Pagination": https://jsonapi.org/profiles/ethanresnick/cursor-pagination/
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec

from services.api.domain.queries import key_fields, position
from services.api.http.jsonapi.errors import Error

if TYPE_CHECKING:
    from services.api.domain.queries import Order, Position
    from services.api.http.jsonapi.resource import Resource

PROFILE = "https://jsonapi.org/profiles/ethanresnick/cursor-pagination/"
PROFILES = frozenset({PROFILE, PROFILE.replace("https:", "http:")})
"""Its own text gives its address without TLS; both are understood."""

_MALFORMED = (msgspec.MsgspecError, ValueError, OverflowError)


def encode(item: object, order: Order) -> str:
    """The cursor that falls on an item of a list in this order."""
    named = msgspec.json.encode((key_fields(order), *position(item, order)))
    return urlsafe_b64encode(named).decode().rstrip("=")


def decode(resource: Resource[Any], order: Order, cursor: str) -> Position | None:
    """The position that a cursor stands for; None for what is no cursor of this order."""
    keys = key_fields(order)
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        kinds: Any = (tuple[tuple[str, bool], ...], *(_kind(resource, name) for name, _ in keys))
        named: Any = msgspec.json.decode(raw, type=tuple.__class_getitem__(kinds))
        return tuple(map(_in_utc, named[1:])) if named[0] == keys else None
    except _MALFORMED:
        return None


def size_exceeded(limit: int) -> Error:
    """What the profile wants to be said to who asks for too much at once."""
    return Error(
        400,
        f"The page size must be a whole number between 1 and {limit}.",
        title="Invalid Query Parameter",
        parameter="page[size]",
        type=f"{PROFILE}max-size-exceeded",
        meta={"page": {"maxSize": limit}},
    )


def _kind(resource: Resource[Any], field: str) -> Any:
    """The type of a core field's values, which is that of the attribute that shows them."""
    if field == "id":
        return UUID
    name = next(sort.name for sort in resource.sorts if sort.field == field)
    kind = next(each.kind for each in resource.attributes if each.name == name)
    return Annotated[datetime, msgspec.Meta(tz=True)] if kind is datetime else kind


def _in_utc(value: object) -> object:
    """A moment within what a database can hold; raises OverflowError beyond."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
