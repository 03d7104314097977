"""A page of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list and how many the whole list has, exactly.

    ``more`` says whether further items follow, or precede when the page was asked for backwards.
    """

    items: tuple[T, ...]
    total: int
    more: bool = False
