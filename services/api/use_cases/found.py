"""What was looked for: there, and as it was last seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from services.api.domain.errors import EtagMismatch, NotFound

if TYPE_CHECKING:
    from uuid import UUID

T = TypeVar("T")


class Versioned(Protocol):
    """Something that counts its changes."""

    @property
    def version(self) -> int:
        """How often it was changed, from 1."""


V = TypeVar("V", bound=Versioned)


def found(item: T | None, collection: str, id_: UUID) -> T:
    """The item. Raises NotFound when there is none."""
    if item is None:
        raise NotFound(collection, id_)
    return item


def at_version(item: V, version: int | None) -> V:
    """The item. Raises EtagMismatch when it has another version than the one expected, if any."""
    if version is not None and version != item.version:
        raise EtagMismatch
    return item
