"""Pages of lists (AIP-158): sizes, and tokens that fit only the list they came from."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from uuid import UUID

from services.api.domain.errors import InvalidQuery

if TYPE_CHECKING:
    from services.api.domain.page import Page

DEFAULT_SIZE: Final = 20
MAX_SIZE: Final = 100
MAX_INT32: Final = 2**31 - 1
_SEAL_BYTES: Final = 12


class ListRequest(Protocol):
    """What every List request has."""

    page_size: int
    page_token: str
    skip: int


class Identified(Protocol):
    """What lists are made of."""

    @property
    def id(self) -> UUID:
        """The key that lists are sorted by."""


T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True)
class Cut:
    """Which piece of a list is asked for: ``size`` items after ``after`` and ``skip`` more.

    ``list_`` names the list itself: whose, of what, by which filter.
    """

    list_: tuple[str, ...]
    size: int
    skip: int
    after: UUID | None

    @property
    def limit(self) -> int:
        """One more than fits on the page: it tells whether there is another page."""
        return self.size + 1

    def next_token(self, page: Page[T]) -> str:
        """The token for what follows on this page; empty when nothing does."""
        if len(page.items) <= self.size:
            return ""
        return _sealed(page.items[self.size - 1].id, self.list_)


def cut(request: ListRequest, *list_: str) -> Cut:
    """Read a List request; raises InvalidQuery."""
    for parameter in ("page_size", "skip"):
        if getattr(request, parameter) < 0:
            raise InvalidQuery(parameter, f"The {parameter} must not be negative.")
    size = min(request.page_size or DEFAULT_SIZE, MAX_SIZE)
    after = _opened(request.page_token, list_) if request.page_token else None
    return Cut(list_, size, request.skip, after)


def total(page: Page[T]) -> int:
    """The length of the whole list, as far as an int32 can tell."""
    return min(page.total, MAX_INT32)


def _sealed(id_: UUID, list_: tuple[str, ...]) -> str:
    return urlsafe_b64encode(id_.bytes + _seal(id_, list_)).decode().rstrip("=")


def _opened(token: str, list_: tuple[str, ...]) -> UUID:
    refusal = InvalidQuery("page_token", "The page_token is not one of this list and filter.")
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        id_ = UUID(bytes=raw[:-_SEAL_BYTES])
    except (binascii.Error, ValueError):
        raise refusal from None
    if _sealed(id_, list_) != token:
        raise refusal
    return id_


def _seal(id_: UUID, list_: tuple[str, ...]) -> bytes:
    # No secret: a token opens nothing that its bearer could not list anyway. The seal only keeps
    # it from being used on another list.
    digest = blake2b(id_.bytes, digest_size=_SEAL_BYTES, person=b"page token")
    for part in list_:
        digest.update(len(part).to_bytes(4) + part.encode())
    return digest.digest()
