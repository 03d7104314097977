"""Bytes that nothing names any more: written down in the transaction that made them so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from services.api import signals
from services.api.db import record_rows, task_rows
from services.api.db.tables import doomed_blobs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection

    from services.api.db.executor import Transaction


def doom(transaction: Transaction, keys: Collection[str], now: datetime) -> None:
    """Mark those of the keys for deletion that no task and no valid record names."""
    if not keys:
        return
    unnamed = set(keys) - keys_in_use(transaction.connection, keys)
    for key in sorted(unnamed):
        transaction.connection.execute(
            transaction.insert(doomed_blobs)
            .values(blob_key=key, doomed_at=now)
            .on_conflict_do_nothing()
        )
    if unnamed:
        transaction.notify(signals.DOOMED)


def keys_in_use(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the keys that a task or a valid record names."""
    in_tasks = task_rows.keys_in_use(connection, keys)
    return in_tasks | record_rows.keys_in_use(connection, keys)


def fetch_doomed(connection: Connection, limit: int) -> list[str]:
    """Some keys that are to be deleted, oldest first."""
    query = select(doomed_blobs.c.blob_key).order_by(doomed_blobs.c.doomed_at).limit(limit)
    return list(connection.scalars(query))


def forget_doomed(transaction: Transaction, keys: Collection[str]) -> None:
    """Strike keys whose bytes are gone."""
    transaction.connection.execute(delete(doomed_blobs).where(doomed_blobs.c.blob_key.in_(keys)))
