"""Upload sessions in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, or_, select

from services.api.db import lists
from services.api.db.tables import upload_sessions
from services.api.domain.upload_sessions import COLLECTION, UploadSession

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection, Row, Select

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import UploadSessionQuery

_columns = upload_sessions.c
_NAMES = tuple(column.name for column in _columns)


def session_values(session: UploadSession) -> dict[str, Any]:
    """The columns of a session's row."""
    return {name: getattr(session, name) for name in _NAMES}


def session_from(columns: Mapping[Any, Any]) -> UploadSession:
    """The session of the values of its columns."""
    return UploadSession(**{name: columns[name] for name in _NAMES})


def insert(transaction: Transaction, session: UploadSession) -> None:
    """Add a session."""
    new = upload_sessions.insert().values(**session_values(session))
    transaction.connection.execute(new)
    transaction.count(session.tenant, COLLECTION, "", 1)


def remove(transaction: Transaction, session: UploadSession) -> None:
    """Remove a session's row."""
    transaction.connection.execute(delete(upload_sessions).where(_columns.id == session.id))
    transaction.count(session.tenant, COLLECTION, "", -1)


def find(connection: Connection, tenant: str, id_: UUID) -> UploadSession | None:
    """A tenant's session."""
    return lists.fetch_one(connection, _one(id_, tenant), _to_session)


def lock(transaction: Transaction, id_: UUID, tenant: str | None = None) -> UploadSession | None:
    """A session that nobody else can delete or add to until the commit."""
    query = _one(id_, tenant).with_for_update()
    return lists.fetch_one(transaction.connection, query, _to_session)


def pin(transaction: Transaction, id_: UUID, tenant: str) -> UploadSession | None:
    """A tenant's session that nobody can delete before the commit."""
    query = _one(id_, tenant).with_for_update(read=True, key_share=True)
    return lists.fetch_one(transaction.connection, query, _to_session)


def fetch_page(
    connection: Connection, tenant: str, query: UploadSessionQuery
) -> Page[UploadSession]:
    """A page of a tenant's sessions, oldest first unless ordered otherwise."""
    narrow = [
        *lists.one_of(_columns.id, query.ids),
        *lists.one_of(_columns.collection_id, query.collections),
        *lists.one_of(_columns.creator_id, query.creators),
    ]
    conditions = [lists.equal(_columns.tenant, tenant), *narrow]

    def total() -> int:
        if narrow:
            return lists.count(connection, upload_sessions, conditions)
        return lists.kept_total(connection, tenant, COLLECTION)

    return lists.fetch_page(
        connection, upload_sessions, conditions, query, to_item=_to_session, total=total
    )


def fetch_expired(connection: Connection, before: datetime, limit: int) -> list[UUID]:
    """Some that had expired by a moment, longest ago first."""
    query = select(_columns.id).where(_columns.expires_at <= before)
    return list(connection.scalars(query.order_by(_columns.expires_at).limit(limit)))


def any_open_for(connection: Connection, tenant: str, id_: UUID, now: datetime) -> bool:
    """Whether a session of this collection or creator is open."""
    linked = or_(_columns.collection_id == id_, _columns.creator_id == id_)
    is_open = _columns.expires_at > now
    return lists.exists(connection, upload_sessions, _columns.tenant == tenant, linked, is_open)


def _one(id_: UUID, tenant: str | None) -> Select[Any]:
    query = select(upload_sessions).where(_columns.id == id_)
    return query if tenant is None else query.where(_columns.tenant == tenant)


def _to_session(row: Row[Any]) -> UploadSession:
    return session_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
