"""Tasks, tracks, subscriptions and deliveries as JSON, to be given again as they were."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table, Uuid

from services.api.db.delivery_rows import delivery_from, delivery_values
from services.api.db.rows import task_from, task_values, track_from, track_values
from services.api.db.subscription_rows import subscription_from, subscription_values
from services.api.db.tables import deliveries, import_tasks, subscriptions, tracks
from services.api.db.types import UtcDateTime
from services.api.domain.catalogue import Track
from services.api.domain.subscriptions import Delivery, Subscription
from services.api.domain.task import Task

Item = Task | Track | Subscription | Delivery | None


def dump(item: Item) -> Any:
    """An item as JSON; None for what was deleted."""
    match item:
        case Task():
            return {"kind": import_tasks.name, **_plain(task_values(item))}
        case Track():
            return {"kind": tracks.name, **_plain(track_values(item))}
        case Subscription():
            return {"kind": subscriptions.name, **_plain(subscription_values(item))}
        case Delivery():
            return {"kind": deliveries.name, **_plain(delivery_values(item))}
        case None:
            return None


def load(dumped: Any) -> Item:
    """The item that was dumped."""
    if dumped is None:
        return None
    if dumped["kind"] == import_tasks.name:
        return task_from(_typed(import_tasks, dumped))
    if dumped["kind"] == subscriptions.name:
        return subscription_from(_typed(subscriptions, dumped))
    if dumped["kind"] == deliveries.name:
        return delivery_from(_typed(deliveries, dumped))
    return track_from(_typed(tracks, dumped))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _typed(table: Table, dumped: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for column in table.c:
        value = dumped.get(column.name)  # None: the version that dumped it had no such column
        if value is not None and isinstance(column.type, Uuid):
            value = UUID(value)
        elif value is not None and isinstance(column.type, UtcDateTime):
            value = datetime.fromisoformat(value)
        typed[column.name] = value
    return typed
