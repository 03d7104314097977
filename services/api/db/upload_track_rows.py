"""Upload tracks in the database, each seen with the state of its import task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from services.api.db import lists
from services.api.db.tables import import_tasks
from services.api.db.upload_tables import upload_tracks
from services.api.domain.lifecycle import Status
from services.api.domain.upload_tracks import COLLECTION, TrackType, UploadTrack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import UploadTrackQuery

_columns = upload_tracks.c
_PLAIN = (
    *("id", "tenant", "version", "created_at", "updated_at", "upload_id", "task_id"),
    *("language_code", "display_name", "closed_captions"),
)

seen = (
    select(upload_tracks, import_tasks.c.status, import_tasks.c.problems)
    .outerjoin(import_tasks, import_tasks.c.id == _columns.task_id)
    .subquery("seen_upload_tracks")
)
"""Tracks as clients see them."""


def track_values(track: UploadTrack) -> dict[str, Any]:
    """The columns of a track as it is seen."""
    return {
        **_row(track),
        "status": track.status and str(track.status),
        "problems": [dict(problem) for problem in track.problems],
    }


def track_from(columns: Mapping[Any, Any]) -> UploadTrack:
    """The track of the values of its columns."""
    captions, status = columns["closed_captions"], columns["status"]
    return UploadTrack(
        **{name: columns[name] for name in _PLAIN}
        | {"closed_captions": None if captions is None else bool(captions)},
        type=TrackType(columns["track_type"]),
        status=None if status is None else Status(status),
        problems=tuple(columns["problems"] or ()),
    )


def insert(transaction: Transaction, track: UploadTrack) -> None:
    """Add a track."""
    transaction.connection.execute(upload_tracks.insert().values(**_row(track)))
    transaction.count(track.tenant, COLLECTION, "", 1)


def save(transaction: Transaction, track: UploadTrack) -> None:
    """Write a track's own values."""
    changed = update(upload_tracks).where(_columns.id == track.id).values(**_row(track))
    transaction.connection.execute(changed)


def remove(transaction: Transaction, track: UploadTrack) -> None:
    """Remove a track's row."""
    transaction.connection.execute(delete(upload_tracks).where(_columns.id == track.id))
    transaction.count(track.tenant, COLLECTION, "", -1)


def find(connection: Connection, tenant: str, id_: UUID) -> UploadTrack | None:
    """A tenant's track."""
    query = select(seen).where(seen.c.id == id_, seen.c.tenant == tenant)
    return lists.fetch_one(connection, query, _to_track)


def lock(transaction: Transaction, tenant: str, id_: UUID) -> UploadTrack | None:
    """A tenant's track whose row nobody else can change until the commit."""
    mine = select(_columns.id).where(_columns.id == id_, _columns.tenant == tenant)
    transaction.connection.execute(mine.with_for_update())
    return find(transaction.connection, tenant, id_)


def of_upload(connection: Connection, tenant: str, upload_id: UUID) -> list[UploadTrack]:
    """All tracks of an upload, oldest first."""
    query = select(seen).where(seen.c.tenant == tenant, seen.c.upload_id == upload_id)
    return [_to_track(row) for row in connection.execute(query.order_by(seen.c.id))]


def fetch_page(connection: Connection, tenant: str, query: UploadTrackQuery) -> Page[UploadTrack]:
    """A page of a tenant's tracks, oldest first unless ordered otherwise."""
    narrow = [
        *lists.one_of(seen.c.id, query.ids),
        *lists.one_of(seen.c.upload_id, query.upload_ids),
    ]
    conditions = [lists.equal(seen.c.tenant, tenant), *narrow]

    def total() -> int:
        if narrow:
            return lists.count(connection, seen, conditions)
        return lists.kept_total(connection, tenant, COLLECTION)

    return lists.fetch_page(connection, seen, conditions, query, to_item=_to_track, total=total)


def _row(track: UploadTrack) -> dict[str, Any]:
    return {name: getattr(track, name) for name in _PLAIN} | {"track_type": str(track.type)}


def _to_track(row: Row[Any]) -> UploadTrack:
    return track_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
