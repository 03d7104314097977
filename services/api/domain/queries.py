"""Which part of which list somebody wants; None leaves a condition out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.domain.lifecycle import PublicationStatus, Status
    from services.api.domain.subscriptions import DeliveryState
    from services.api.domain.uploads import UploadState

Order = tuple[tuple[str, bool], ...]
"""Names of fields, each with whether it descends; by ``created_at`` when empty."""

Position = tuple[Any, ...]
"""Where an item stands in an order: its values of the order's fields, and its id."""

CREATED_AT = "created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """So many in an order, after or before a position, after skipping some."""

    skip: int = 0
    limit: int = 20
    order: Order = ()
    after: Position | None = None
    before: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery(Slice):
    """Which import tasks; ordered by created_at, updated_at, status.

    ``products`` and ``distributors`` are those that targets are or belong to, by id or by number.
    """

    ids: frozenset[UUID] | None = None
    numbers: frozenset[int] | None = None
    statuses: frozenset[Status] | None = None
    target_ids: frozenset[UUID] | None = None
    products: frozenset[UUID] | None = None
    product_numbers: frozenset[int] | None = None
    distributors: frozenset[UUID] | None = None
    distributor_numbers: frozenset[int] | None = None
    master_types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuery(Slice):
    """Which valid records; ordered by created_at."""

    ids: frozenset[UUID] | None = None
    target_ids: frozenset[UUID] | None = None
    isrcs: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemQuery(Slice):
    """Which items of a noun, by the references that it has; ordered by created_at, updated_at."""

    ids: frozenset[UUID] | None = None
    numbers: frozenset[int] | None = None
    distributor: frozenset[UUID] | None = None
    product: frozenset[UUID] | None = None
    collection: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishJobQuery(Slice):
    """Which publish jobs; ordered by created_at, updated_at."""

    ids: frozenset[UUID] | None = None
    numbers: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationQuery(Slice):
    """Which publications; ordered by created_at, updated_at."""

    ids: frozenset[UUID] | None = None
    numbers: frozenset[int] | None = None
    job_ids: frozenset[UUID] | None = None
    task_ids: frozenset[UUID] | None = None
    statuses: frozenset[PublicationStatus] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionQuery(Slice):
    """Which subscriptions; ordered by created_at, updated_at."""

    ids: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadQuery(Slice):
    """Which uploads; ordered by created_at, updated_at."""

    ids: frozenset[UUID] | None = None
    states: frozenset[UploadState] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTrackQuery(Slice):
    """Which upload tracks; ordered by created_at, updated_at."""

    ids: frozenset[UUID] | None = None
    upload_ids: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery(Slice):
    """Which jobs; ordered by created_at."""

    ids: frozenset[UUID] | None = None
    numbers: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSessionQuery(Slice):
    """Which upload sessions; ordered by created_at."""

    ids: frozenset[UUID] | None = None
    collections: frozenset[UUID] | None = None
    creators: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery(Slice):
    """Which deliveries of a subscription; ordered by created_at."""

    states: frozenset[DeliveryState] | None = None


def key_fields(order: Order) -> Order:
    """The fields that decide an order without ties: ids ascend with time, so they stand for it.

    Where nothing is said of time it goes the way of the last field: whoever turns an order around
    has all of it turned around, and so one index serves both.
    """
    named = tuple((name, down) for name, down in order if name != CREATED_AT)
    falls = [down for name, down in order if name == CREATED_AT]
    cut = next((i for i, (name, _) in enumerate(order) if name == CREATED_AT), len(order))
    last = named[-1][1] if named else False
    return (*named[:cut], ("id", falls[0] if falls else last))


def position(item: object, order: Order) -> Position:
    """Where an item stands in an order."""
    return tuple(getattr(item, name) for name, _ in key_fields(order))
