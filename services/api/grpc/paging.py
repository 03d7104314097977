"""Pages of lists (AIP-158): sizes, and tokens that fit only the list they came from."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar
from uuid import UUID

import msgspec

from services.api.domain.errors import InvalidQuery
from services.api.domain.lifecycle import Status
from services.api.domain.queries import key_fields, position
from services.api.grpc.orders import parse_order

if TYPE_CHECKING:
    from collections.abc import Collection

    from services.api.domain.page import Page
    from services.api.domain.queries import Order, Position

DEFAULT_SIZE: Final = 20
MAX_SIZE: Final = 100
MAX_INT32: Final = 2**31 - 1
_SEAL_BYTES: Final = 12
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_TYPES: Final[dict[str, Any]] = {"id": UUID, "updated_at": _Moment, "status": Status}
"""Of what positions are made."""

T = TypeVar("T")


class ListRequest(Protocol):
    """What every List request has."""

    page_size: int
    page_token: str
    skip: int
    order_by: str


@dataclass(frozen=True, slots=True)
class Cut:
    """Which piece of a list is asked for: ``size`` items after ``after`` and ``skip`` more.

    ``list_`` names the list itself: whose, of what, by which filter and in which order.
    """

    list_: tuple[str, ...]
    order: Order
    size: int
    skip: int
    after: Position | None

    @property
    def slice_(self) -> dict[str, Any]:
        """The arguments of a Slice for this piece."""
        return {"order": self.order, "limit": self.size, "skip": self.skip, "after": self.after}

    def next_token(self, page: Page[T]) -> str:
        """The token for what follows on this page; empty when nothing does."""
        if not page.more:
            return ""
        return _sealed(msgspec.msgpack.encode(position(page.items[-1], self.order)), self.list_)


def cut(request: ListRequest, fields: Collection[str], *list_: str) -> Cut:
    """Read a List request, whose list can be ordered by these fields; raises InvalidQuery."""
    for parameter in ("page_size", "skip"):
        if getattr(request, parameter) < 0:
            raise InvalidQuery(parameter, f"The {parameter} must not be negative.")
    size = min(request.page_size or DEFAULT_SIZE, MAX_SIZE)
    order = parse_order(request.order_by, fields)
    list_ = (*list_, repr(order))
    after = _opened(request.page_token, list_, order) if request.page_token else None
    return Cut(list_, order, size, request.skip, after)


def total(page: Page[T]) -> int:
    """The length of the whole list, as far as an int32 can tell."""
    return min(page.total, MAX_INT32)


def _sealed(raw: bytes, list_: tuple[str, ...]) -> str:
    return urlsafe_b64encode(raw + _seal(raw, list_)).decode().rstrip("=")


def _opened(token: str, list_: tuple[str, ...], order: Order) -> Position:
    refusal = InvalidQuery("page_token", "The page_token is not one of this list, filter, order.")
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))[:-_SEAL_BYTES]
    except ValueError:  # no Base64, no ASCII
        raise refusal from None
    if _sealed(raw, list_) != token:
        raise refusal
    types = tuple(_TYPES[name] for name, _ in key_fields(order))
    try:
        found: Position = msgspec.msgpack.decode(raw, type=tuple[types])  # type: ignore[valid-type] # of as many
        # Whoever makes up a token can seal it: what we would have written otherwise is not ours.
        is_ours = msgspec.msgpack.encode(found) == raw
    except (msgspec.MsgspecError, OverflowError):
        raise refusal from None
    if not is_ours:
        raise refusal
    return found


def _seal(raw: bytes, list_: tuple[str, ...]) -> bytes:
    # No secret: a token opens nothing that its bearer could not list anyway. The seal only keeps
    # it from being used on another list.
    digest = blake2b(raw, digest_size=_SEAL_BYTES, person=b"page token")
    for part in list_:
        digest.update(len(part).to_bytes(4) + part.encode())
    return digest.digest()
