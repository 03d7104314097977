"""Covers in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, or_, select

from services.api.db import lists
from services.api.db.tables import covers
from services.api.domain.covers import Cover
from services.api.domain.task import Master, Target

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from services.api.db.transactions import Transaction


def insert(transaction: Transaction, cover: Cover) -> None:
    """Add a cover, and count its bytes."""
    transaction.connection.execute(
        covers.insert().values(
            id=cover.id,
            tenant=cover.tenant,
            target_type=cover.target.type,
            target_id=cover.target.id,
            media_type=cover.media_type,
            width=cover.width,
            height=cover.height,
            blob_key=cover.picture.blob_key,
            size_bytes=cover.picture.size_bytes,
            md5=cover.picture.md5,
            thumbnail_key=cover.thumbnail.blob_key,
            thumbnail_size=cover.thumbnail.size_bytes,
            thumbnail_md5=cover.thumbnail.md5,
            created_at=cover.created_at,
        )
    )
    transaction.store(cover.tenant, cover.size)


def remove(transaction: Transaction, id_: UUID) -> set[str]:
    """Remove a cover; give the blob keys that it named."""
    cover = find(transaction.connection, id_)
    if cover is None:
        return set()
    transaction.connection.execute(delete(covers).where(covers.c.id == id_))
    transaction.store(cover.tenant, -cover.size)
    return {cover.picture.blob_key, cover.thumbnail.blob_key}


def find(connection: Connection, id_: UUID) -> Cover | None:
    """Whichever tenant's cover, for who has shown a right to just this one."""
    return lists.fetch_one(connection, select(covers).where(covers.c.id == id_), _cover)


def keys_in_use(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the blob keys that a cover names."""
    both = covers.c.blob_key, covers.c.thumbnail_key
    query = select(*both).where(or_(*(column.in_(keys) for column in both)))
    return {key for row in connection.execute(query) for key in row} & {*keys}


def _cover(row: Row[Any]) -> Cover:
    return Cover(
        id=row.id,
        tenant=row.tenant,
        target=Target(row.target_type, row.target_id),
        media_type=row.media_type,
        width=row.width,
        height=row.height,
        picture=Master(blob_key=row.blob_key, size_bytes=row.size_bytes, md5=row.md5),
        thumbnail=Master(
            blob_key=row.thumbnail_key, size_bytes=row.thumbnail_size, md5=row.thumbnail_md5
        ),
        created_at=row.created_at,
    )
