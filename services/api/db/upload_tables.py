"""The tables of what clients bring themselves."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Uuid, text

from services.api.db.naming import metadata
from services.api.db.types import Json, UtcDateTime

_HAS_BYTES = text("blob_key IS NOT NULL")
_IS_LOOKED_FOR = text("look_at IS NOT NULL")
_IS_OF_A_SESSION = text("session_id IS NOT NULL")
_HAS_CREATOR = text("creator_id IS NOT NULL")
_IS_WAITING = text("ended_at IS NULL AND task_id IS NOT NULL")

# As it stands in an index: with a parameter in its place neither database would use the index.
EXPIRES = "state <> 'kept'"

uploads = Table(
    "uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # Of its link while it waits, then of itself.
    Column("expires_at", UtcDateTime, nullable=False),
    Column("file_kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("file_name", String(255)),
    Column("content_type", String(255)),
    Column("size_limit", BigInteger, nullable=False),
    Column("declared_size", BigInteger),
    Column("declared_md5", String(32)),
    # While its bytes are its own: all three or none.
    Column("blob_key", String(255)),
    Column("size_bytes", BigInteger),
    Column("md5", String(32)),
    # The import task that is made of it once it is stored.
    Column("task", Json),
    # When the store is asked whether a file is there that goes straight into it.
    Column("look_at", UtcDateTime),
    # What it is the cover of.
    Column("target_type", String(32)),
    Column("target_id", Uuid),
    # The upload session that it was made in.
    Column("session_id", Uuid),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "updated_at", "id"),
    Index(None, "expires_at", sqlite_where=text(EXPIRES), postgresql_where=text(EXPIRES)),
    Index(None, "look_at", sqlite_where=_IS_LOOKED_FOR, postgresql_where=_IS_LOOKED_FOR),
    Index(None, "blob_key", sqlite_where=_HAS_BYTES, postgresql_where=_HAS_BYTES),
    Index(None, "session_id", sqlite_where=_IS_OF_A_SESSION, postgresql_where=_IS_OF_A_SESSION),
)

upload_sessions = Table(
    "upload_sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # No foreign keys: whoever makes one pins what it leads to.
    Column("collection_id", Uuid, nullable=False),
    Column("creator_id", Uuid),
    Column("organization_index", String(255)),
    Column("metadata", Json),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "collection_id", "id"),
    Index(
        None,
        "tenant",
        "creator_id",
        "id",
        sqlite_where=_HAS_CREATOR,
        postgresql_where=_HAS_CREATOR,
    ),
    Index(None, "expires_at"),
)

covers = Table(
    "covers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    # Which names it in its turn.
    Column("target_type", String(32), nullable=False),
    Column("target_id", Uuid, nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("blob_key", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("thumbnail_key", String(255), nullable=False),
    Column("thumbnail_size", BigInteger, nullable=False),
    Column("thumbnail_md5", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "tenant", "id"),
    Index(None, "blob_key"),
    Index(None, "thumbnail_key"),
)

upload_tracks = Table(
    "upload_tracks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # No foreign keys: who makes a track locks its upload, and who deletes that deletes them.
    Column("upload_id", Uuid, nullable=False),
    Column("task_id", Uuid, nullable=False),
    Column("track_type", String(16), nullable=False),
    Column("language_code", String(64), nullable=False),
    Column("display_name", String(255), nullable=False),
    Column("closed_captions", Boolean),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "updated_at", "id"),
    Index(None, "tenant", "upload_id", "id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("action", String(64), nullable=False),
    Column("resource_type", String(32), nullable=False),
    Column("resource_id", Uuid, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("task_id", Uuid),
    Column("ended_at", UtcDateTime),
    Column("error", Json),
    # The resource as it was when the job ended.
    Column("result", Json),
    Index(None, "tenant", "id"),
    Index("uq_jobs_number", "tenant", "number", unique=True),
    Index(None, "task_id", sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING),
    Index(None, "ended_at"),
)
