"""The tables of publishing: jobs, what is published in them, and the files that came of it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Uuid,
    text,
)

from services.api.db.naming import metadata
from services.api.db.types import Json, UtcDateTime
from services.api.db.work_tables import due_index, work_columns
from services.api.domain.lifecycle import PublicationStatus

COUNTS = {status: f"{status.value}_count" for status in PublicationStatus}
"""The column of a job that counts its publications with a status."""
_STATUSES = ", ".join(f"'{status}'" for status in PublicationStatus)
_DEFAULT = "is_default"
_RUNS_BY_ITSELF = "run_at IS NOT NULL"

publish_jobs = Table(
    "publish_jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("display_name", String(255), nullable=False),
    Column("contact_email", String(320)),
    # A canonical https:// or mailto: target.
    Column("oncomplete", String(2048)),
    Column("is_default", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # Kept so that whoever ends the last one knows it.
    *(Column(name, BigInteger, nullable=False) for name in COUNTS.values()),
    # When it is run by itself.
    Column("run_at", UtcDateTime),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "updated_at", "id"),
    Index("uq_publish_jobs_number", "tenant", "number", unique=True),
    Index(
        "ix_publish_jobs_run_at",
        "run_at",
        sqlite_where=text(_RUNS_BY_ITSELF),
        postgresql_where=text(_RUNS_BY_ITSELF),
    ),
    Index(
        "uq_publish_jobs_default",
        "tenant",
        unique=True,
        sqlite_where=text(_DEFAULT),
        postgresql_where=text(_DEFAULT),
    ),
)

publications = Table(
    "publications",
    metadata,
    *work_columns(),
    Column("number", BigInteger, nullable=False),
    Column("job_id", Uuid, ForeignKey("publish_jobs.id"), nullable=False),
    Column("task_id", Uuid, ForeignKey("import_tasks.id"), nullable=False),
    Column("formats", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    # The record that the present renditions were made of.
    Column("record_id", Uuid),
    Column("file_name", String(255)),
    # Without its extension: by it further files of the same track are known.
    Column("file_stem", String(255)),
    CheckConstraint(f"status IN ({_STATUSES})", name="status"),
    CheckConstraint("(run_id IS NULL) = (lease_until IS NULL)", name="claim"),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "updated_at", "id"),
    Index("ix_publications_job_id_status_id", "job_id", "status", "id"),
    Index("ix_publications_task_id", "task_id"),
    Index("ix_publications_job_id_file_stem", "job_id", "file_stem", "id"),
    Index("uq_publications_number", "tenant", "number", unique=True),
    due_index("publications"),
)

renditions = Table(
    "renditions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("publication_id", Uuid, ForeignKey("publications.id"), nullable=False),
    Column("format", String(16), nullable=False),
    Column("blob_key", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("sample_rate", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("bit_depth", Integer, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    # Null for silence.
    Column("integrated_lufs", Float),
    Column("true_peak_dbtp", Float),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "tenant", "id"),
    Index("ix_renditions_blob_key", "blob_key"),
    Index("uq_renditions_format", "publication_id", "format", unique=True),
)
