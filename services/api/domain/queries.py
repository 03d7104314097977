"""Which part of which list somebody wants; None leaves a condition out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.domain.lifecycle import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """So many, after an id, after skipping some; ids ascend with time."""

    skip: int = 0
    limit: int = 20
    after: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery(Slice):
    """Which import tasks."""

    ids: frozenset[UUID] | None = None
    statuses: frozenset[Status] | None = None
    target_ids: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuery(Slice):
    """Which valid records."""

    ids: frozenset[UUID] | None = None
    target_ids: frozenset[UUID] | None = None
    isrcs: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackQuery(Slice):
    """Which tracks."""

    ids: frozenset[UUID] | None = None
