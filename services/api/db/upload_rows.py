"""Uploads in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import delete, select, text, update

from services.api.db import lists
from services.api.db.tables import import_tasks, uploads
from services.api.db.upload_tables import EXPIRES
from services.api.domain.changes import NewTask
from services.api.domain.lifecycle import FINAL
from services.api.domain.task import Master, Target
from services.api.domain.uploads import COLLECTION, Upload, UploadState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import UploadQuery

_WAITING = uploads.c.state == str(UploadState.WAITING)


def upload_values(upload: Upload) -> dict[str, Any]:
    """The columns of an upload's row."""
    master = upload.master
    return {
        "id": upload.id,
        "tenant": upload.tenant,
        "version": upload.version,
        "created_at": upload.created_at,
        "updated_at": upload.updated_at,
        "expires_at": upload.expires_at,
        "file_kind": upload.kind,
        "state": str(upload.state),
        "file_name": upload.file_name,
        "content_type": upload.content_type,
        "size_limit": upload.size_limit,
        "declared_size": upload.declared_size,
        "declared_md5": upload.declared_md5,
        "blob_key": master and master.blob_key,
        "size_bytes": master and master.size_bytes,
        "md5": master and master.md5,
        "task": upload.task and _task_values(upload.task),
        "look_at": upload.look_at,
        "target_type": upload.target and upload.target.type,
        "target_id": upload.target and upload.target.id,
        "session_id": upload.session_id,
    }


def upload_from(columns: Mapping[Any, Any]) -> Upload:
    """The upload of the values of its columns."""
    return Upload(
        id=columns["id"],
        tenant=columns["tenant"],
        version=columns["version"],
        created_at=columns["created_at"],
        updated_at=columns["updated_at"],
        expires_at=columns["expires_at"],
        kind=columns["file_kind"],
        state=UploadState(columns["state"]),
        file_name=columns["file_name"],
        content_type=columns["content_type"],
        size_limit=columns["size_limit"],
        declared_size=columns["declared_size"],
        declared_md5=columns["declared_md5"],
        master=_master(columns),
        task=columns["task"] and _task(columns["task"]),
        look_at=columns["look_at"],
        target=_target(columns),
        session_id=columns["session_id"],
    )


def insert(transaction: Transaction, upload: Upload) -> None:
    """Add an upload."""
    transaction.connection.execute(uploads.insert().values(**upload_values(upload)))
    transaction.count(upload.tenant, COLLECTION, "", 1)


def save(transaction: Transaction, before: Upload, after: Upload) -> None:
    """Write an upload's values; ``before`` must be the locked row of this transaction."""
    transaction.connection.execute(
        update(uploads).where(uploads.c.id == after.id).values(**upload_values(after))
    )
    transaction.store(after.tenant, _stored(after) - _stored(before))


def remove(transaction: Transaction, upload: Upload) -> None:
    """Remove an upload's row."""
    transaction.connection.execute(delete(uploads).where(uploads.c.id == upload.id))
    transaction.count(upload.tenant, COLLECTION, "", -1)
    transaction.store(upload.tenant, -_stored(upload))


def find(connection: Connection, tenant: str, id_: UUID) -> Upload | None:
    """A tenant's upload."""
    query = select(uploads).where(uploads.c.id == id_, uploads.c.tenant == tenant)
    return lists.fetch_one(connection, query, _to_upload)


def find_any(connection: Connection, id_: UUID) -> Upload | None:
    """Whichever tenant's upload, for who has shown a right to just this one."""
    return lists.fetch_one(connection, select(uploads).where(uploads.c.id == id_), _to_upload)


def lock(transaction: Transaction, id_: UUID, tenant: str | None = None) -> Upload | None:
    """An upload whose row nobody else can change until the commit."""
    conditions = [uploads.c.id == id_]
    if tenant is not None:
        conditions.append(uploads.c.tenant == tenant)
    query = select(uploads).where(*conditions).with_for_update()
    return lists.fetch_one(transaction.connection, query, _to_upload)


def lock_waiting(transaction: Transaction, session_id: UUID) -> list[Upload]:
    """Those of an upload session whose files have not come; nobody else can change them."""
    query = select(uploads).where(uploads.c.session_id == session_id, _WAITING)
    rows = transaction.connection.execute(query.order_by(uploads.c.id).with_for_update())
    return [_to_upload(row) for row in rows]


def fetch_page(connection: Connection, tenant: str, query: UploadQuery) -> Page[Upload]:
    """A page of a tenant's uploads, oldest first."""
    narrow = [
        *lists.one_of(uploads.c.id, query.ids),
        *lists.one_of(uploads.c.state, query.states),
    ]
    conditions = [lists.equal(uploads.c.tenant, tenant), *narrow]

    def total() -> int:
        if narrow:
            return lists.count(connection, uploads, conditions)
        return lists.kept_total(connection, tenant, COLLECTION)

    return lists.fetch_page(connection, uploads, conditions, query, to_item=_to_upload, total=total)


def lock_due(transaction: Transaction, now: datetime, limit: int) -> list[Upload]:
    """Some for which the store is to be asked, longest waiting first; nobody else gets them."""
    query = select(uploads).where(uploads.c.look_at <= now).order_by(uploads.c.look_at)
    rows = transaction.connection.execute(query.limit(limit).with_for_update(skip_locked=True))
    return [_to_upload(row) for row in rows]


def fetch_expired(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Some that have expired and that no task needs that is under way, longest ago first."""
    query = select(uploads.c.id).where(
        uploads.c.expires_at <= now, text(EXPIRES), ~_is_under_way().exists()
    )
    return list(connection.scalars(query.order_by(uploads.c.expires_at).limit(limit)))


def is_under_way(connection: Connection, id_: UUID) -> bool:
    """Whether a task needs the upload's bytes that has not ended."""
    mine = select(uploads.c.id).where(uploads.c.id == id_, _is_under_way().exists())
    return connection.execute(mine).first() is not None


def is_source(connection: Connection, id_: UUID) -> bool:
    """Whether a task imports the upload, or has tried to."""
    return lists.exists(connection, import_tasks, import_tasks.c.source_upload_id == id_)


def keys_in_use(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the blob keys that an upload names."""
    column = uploads.c.blob_key
    return set(connection.scalars(select(column).where(column.in_(keys))))


def keys_awaited(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the blob keys at which bytes may be gathering for an upload."""
    ids = {id_ for key in keys if (id_ := _id_in(key))}
    waiting = select(uploads.c.tenant, uploads.c.id).where(uploads.c.id.in_(ids), _WAITING)
    places = {f"{tenant}/{id_}" for tenant, id_ in connection.execute(waiting)}
    return {key for key in keys if "/".join(key.split("/")[:2]) in places}


def _is_under_way() -> Any:
    return select(import_tasks.c.id).where(
        import_tasks.c.source_upload_id == uploads.c.id,
        import_tasks.c.status.not_in(FINAL),
    )


def _id_in(key: str) -> UUID | None:
    parts = key.split("/")
    try:
        return UUID(parts[1])
    except (IndexError, ValueError):  # a key that is none of ours
        return None


def _stored(upload: Upload) -> int:
    return upload.master.size_bytes if upload.master else 0


def _to_upload(row: Row[Any]) -> Upload:
    return upload_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


def _master(columns: Mapping[Any, Any]) -> Master | None:
    if columns["blob_key"] is None:
        return None
    return Master(
        blob_key=columns["blob_key"], size_bytes=columns["size_bytes"], md5=columns["md5"]
    )


def _target(columns: Mapping[Any, Any]) -> Target | None:
    if columns["target_type"] is None:
        return None
    return Target(columns["target_type"], columns["target_id"])


def _task_values(task: NewTask) -> dict[str, Any]:
    return {
        "master_type": task.master_type,
        "isrc": task.isrc,
        "target": task.target and [task.target.type, str(task.target.id)],
        "delivery_profile": task.delivery_profile,
    }


def _task(values: Mapping[str, Any]) -> NewTask:
    target = values["target"]
    return NewTask(
        master_type=values["master_type"],
        isrc=values["isrc"],
        target=Target(target[0], UUID(target[1])) if target else None,
        delivery_profile=values["delivery_profile"],
    )
