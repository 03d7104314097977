"""Tracks in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from services.api.db import lists
from services.api.db.rows import to_track, track_values
from services.api.db.tables import tracks

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Select

    from services.api.db.executor import Transaction
    from services.api.domain.catalogue import Track
    from services.api.domain.page import Page
    from services.api.domain.queries import TrackQuery

COLLECTION = "tracks"


def insert(transaction: Transaction, track: Track) -> None:
    """Add a track."""
    transaction.connection.execute(tracks.insert().values(**track_values(track)))
    transaction.count(track.tenant, COLLECTION, "", 1)


def save(transaction: Transaction, track: Track) -> None:
    """Write a track's values."""
    transaction.connection.execute(
        update(tracks).where(tracks.c.id == track.id).values(**track_values(track))
    )


def remove(transaction: Transaction, track: Track) -> None:
    """Remove a track's row."""
    transaction.connection.execute(delete(tracks).where(tracks.c.id == track.id))
    transaction.count(track.tenant, COLLECTION, "", -1)


def find(connection: Connection, tenant: str, id_: UUID) -> Track | None:
    """A tenant's track."""
    return lists.fetch_one(connection, _one(tenant, id_), to_track)


def lock(transaction: Transaction, tenant: str, id_: UUID) -> Track | None:
    """A tenant's track that nobody else can change or link to until the commit."""
    return lists.fetch_one(transaction.connection, _one(tenant, id_).with_for_update(), to_track)


def pin(transaction: Transaction, tenant: str, id_: UUID) -> bool:
    """Whether the tenant has the track; it then cannot be deleted before the commit."""
    query = _one(tenant, id_).with_for_update(read=True, key_share=True)
    return lists.fetch_one(transaction.connection, query, to_track) is not None


def _one(tenant: str, id_: UUID) -> Select[Any]:
    return select(tracks).where(tracks.c.id == id_, tracks.c.tenant == tenant)


def fetch_page(connection: Connection, tenant: str, query: TrackQuery) -> Page[Track]:
    """A page of a tenant's tracks, oldest first."""
    conditions = [tracks.c.tenant == tenant, *lists.one_of(tracks.c.id, query.ids)]

    def total() -> int:
        if query.ids is None:
            return lists.kept_total(connection, tenant, COLLECTION)
        return lists.count(connection, tracks, conditions)

    return lists.fetch_page(connection, tracks, conditions, query, to_item=to_track, total=total)
