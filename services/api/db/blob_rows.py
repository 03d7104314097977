"""Bytes that nothing names any more: written down in the transaction that made them so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from services.api import signals
from services.api.db import (
    clock,
    cover_rows,
    record_rows,
    rendition_rows,
    task_rows,
    upload_rows,
)
from services.api.db.tables import doomed_blobs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction


def doom(transaction: Transaction, keys: Collection[str], when: datetime) -> None:
    """Mark those of the keys for deletion that nothing names.

    They are deleted once the moment has come: the earliest, if there are several.
    """
    if not keys:
        return
    unnamed = set(keys) - keys_in_use(transaction.connection, keys)
    for key in sorted(unnamed):
        new = transaction.insert(doomed_blobs).values(blob_key=key, doomed_at=when)
        transaction.connection.execute(
            new.on_conflict_do_update(
                index_elements=["blob_key"],
                set_={"doomed_at": new.excluded.doomed_at},
                where=doomed_blobs.c.doomed_at > new.excluded.doomed_at,
            )
        )
    if unnamed:
        transaction.notify(signals.DOOMED)


def keys_in_use(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the keys that a task, valid record, upload, cover or rendition names."""
    used: set[str] = set()
    for rows in (task_rows, record_rows, upload_rows, cover_rows, rendition_rows):
        used |= rows.keys_in_use(connection, keys)
    return used


def fetch_doomed(connection: Connection, limit: int) -> list[str]:
    """Some keys that are to be deleted now, longest waiting first."""
    when = doomed_blobs.c.doomed_at
    due = select(doomed_blobs.c.blob_key).where(when <= clock.now(connection))
    return list(connection.scalars(due.order_by(when).limit(limit)))


def keys_doomed(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the keys that are to be deleted, now or later."""
    column = doomed_blobs.c.blob_key
    return set(connection.scalars(select(column).where(column.in_(keys))))


def forget_doomed(transaction: Transaction, keys: Collection[str]) -> None:
    """Strike keys whose bytes are gone."""
    transaction.connection.execute(delete(doomed_blobs).where(doomed_blobs.c.blob_key.in_(keys)))
