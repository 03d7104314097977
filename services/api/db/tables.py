"""The tables. Every row has a tenant; every list and every search has its index."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Uuid,
    false,
    text,
)

from services.api.db import catalogue_tables, naming, publishing_tables, upload_tables
from services.api.db.types import Json, UtcDateTime
from services.api.db.work_tables import due_index, work_columns
from services.api.domain.lifecycle import Status
from services.api.domain.task import DOLBY_ATMOS

metadata = naming.metadata
CATALOGUE = catalogue_tables.TABLES
"""The tables of the catalogue, by collection."""
uploads = upload_tables.uploads
upload_sessions = upload_tables.upload_sessions
publish_jobs = publishing_tables.publish_jobs
publications = publishing_tables.publications
renditions = publishing_tables.renditions
covers = upload_tables.covers

_STATUSES = ", ".join(f"'{status}'" for status in Status)

# As it stands in an index: with parameters in its place neither database would use the index.
IS_FAILED = f"status IN ('{Status.DOWNLOAD_FAILED}', '{Status.VALIDATION_FAILED}')"
RUNNING_DOWNLOADS = "ix_import_tasks_running_downloads"
_OF_A_PRODUCT = "product_id IS NOT NULL"
_OF_A_DISTRIBUTOR = "distributor_id IS NOT NULL"
_RUNNING_DOWNLOAD = f"status = '{Status.DOWNLOADING}' AND run_id IS NOT NULL"

import_tasks = Table(
    "import_tasks",
    metadata,
    *work_columns(),
    Column("master_type", String(32), nullable=False),
    Column("source_uri", String(2048)),
    Column("isrc", String(12)),
    Column("target_type", String(32)),
    Column("target_id", Uuid),
    Column("declared_md5", String(32)),
    # The fetched master: all three or none.
    Column("blob_key", String(255)),
    Column("size_bytes", BigInteger),
    Column("actual_md5", String(32)),
    Column("format", Json),
    Column("record_id", Uuid),
    Column("delivery_profile", String(63)),
    Column("has_report", Boolean, nullable=False, server_default=false()),
    # Null for what a version before numbers made.
    Column("number", BigInteger),
    Column("source_upload_id", Uuid),
    Column("precision", Integer),
    # What the target is or belongs to; see catalogue_rows.Home.
    Column("product_id", Uuid),
    Column("distributor_id", Uuid),
    CheckConstraint(f"status IN ({_STATUSES})", name="status"),
    CheckConstraint("(run_id IS NULL) = (lease_until IS NULL)", name="claim"),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "status", "id"),
    Index(None, "tenant", "master_type", "id"),
    Index(None, "tenant", "target_id", "id"),
    Index(None, "tenant", "updated_at", "id"),
    Index("uq_import_tasks_number", "tenant", "number", unique=True),
    Index(
        None,
        "tenant",
        "product_id",
        "id",
        sqlite_where=text(_OF_A_PRODUCT),
        postgresql_where=text(_OF_A_PRODUCT),
    ),
    Index(
        None,
        "tenant",
        "distributor_id",
        "id",
        sqlite_where=text(_OF_A_DISTRIBUTOR),
        postgresql_where=text(_OF_A_DISTRIBUTOR),
    ),
    due_index("import_tasks"),
    # Downloads that wait for their next attempt have the status too, and may be many.
    Index(
        RUNNING_DOWNLOADS,
        "tenant",
        "status",
        sqlite_where=text(_RUNNING_DOWNLOAD),
        postgresql_where=text(_RUNNING_DOWNLOAD),
    ),
    # Only they are removed by age.
    Index(
        "ix_import_tasks_failed",
        "updated_at",
        sqlite_where=text(IS_FAILED),
        postgresql_where=text(IS_FAILED),
    ),
    # Those that were started again: only they leave reports that nobody needs.
    Index(
        "ix_import_tasks_again",
        "id",
        sqlite_where=text("generation > 1"),
        postgresql_where=text("generation > 1"),
    ),
    Index(
        None,
        "blob_key",
        sqlite_where=text("blob_key IS NOT NULL"),
        postgresql_where=text("blob_key IS NOT NULL"),
    ),
    Index(
        None,
        "source_upload_id",
        sqlite_where=text("source_upload_id IS NOT NULL"),
        postgresql_where=text("source_upload_id IS NOT NULL"),
    ),
)

source_headers = Table(
    "source_headers",
    metadata,
    Column("task_id", Uuid, ForeignKey("import_tasks.id"), primary_key=True),
    Column("tenant", String(63), nullable=False),
    # JSON, encrypted; see use_cases/vault.py.
    Column("sealed", LargeBinary, nullable=False),
)

_VALID = "superseded_at IS NULL"
IS_VALID_ATMOS = f"{_VALID} AND master_type = '{DOLBY_ATMOS}'"

records = Table(
    "records",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("task_id", Uuid, ForeignKey("import_tasks.id"), nullable=False),
    Column("target_type", String(32)),
    Column("target_id", Uuid),
    Column("isrc", String(12)),
    Column("master_type", String(32), nullable=False),
    Column("blob_key", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("format", Json, nullable=False),
    Column("problems", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("superseded_at", UtcDateTime),
    # The generation of the task whose validation report is this record's too.
    Column("report_generation", Integer),
    Index("ix_records_task_id", "task_id"),
    Index("ix_records_blob_key", "blob_key"),
    Index(
        "ix_records_tenant_id",
        "tenant",
        "id",
        sqlite_where=text(_VALID),
        postgresql_where=text(_VALID),
    ),
    Index("ix_records_tenant_target_id_id", "tenant", "target_id", "id"),
    Index(
        "ix_records_tenant_isrc_id",
        "tenant",
        "isrc",
        "id",
        sqlite_where=text(_VALID),
        postgresql_where=text(_VALID),
    ),
    # These two decide every race: one valid Atmos record per ISRC, one valid record per task.
    Index(
        "uq_records_valid_isrc",
        "tenant",
        "isrc",
        unique=True,
        sqlite_where=text(IS_VALID_ATMOS),
        postgresql_where=text(IS_VALID_ATMOS),
    ),
    Index(
        "uq_records_valid_task",
        "task_id",
        unique=True,
        sqlite_where=text(_VALID),
        postgresql_where=text(_VALID),
    ),
)

validation_reports = Table(
    "validation_reports",
    metadata,
    Column("task_id", Uuid, ForeignKey("import_tasks.id"), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("tenant", String(63), nullable=False),
    # The report as gzip'd JSON.
    Column("body", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

tenant_settings = Table(
    "tenant_settings",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("delivery_profile", String(63)),
    Column("contact_email", String(320)),
    Column("upload_master_type", String(32)),
    Column("version", BigInteger, nullable=False),
    # Null while nobody has changed anything.
    Column("updated_at", UtcDateTime),
)

tenant_storage = Table(
    "tenant_storage",
    metadata,
    Column("tenant", String(63), primary_key=True),
    # Of valid records and of masters without a verdict: kept so that no claim has to add them up.
    Column("stored_bytes", BigInteger, nullable=False),
    # Null for the quota that holds for everybody, 0 for none.
    Column("byte_quota", BigInteger),
)

daily_creates = Table(
    "daily_creates",
    metadata,
    Column("tenant", String(63), primary_key=True),
    # The last day, in UTC, on which something counted, and how many did on it.
    Column("day", Date, nullable=False),
    Column("n", BigInteger, nullable=False),
)

totals = Table(
    "totals",
    metadata,
    Column("tenant", String(63), primary_key=True),
    # The collection, and for tasks the status: kept so that no list has to count.
    # Tasks count twice, together and by their master type; those of a distributor once more, with
    # its id in place of the status.
    Column("collection", String(32), primary_key=True),
    Column("status", String(32), primary_key=True),
    Column("n", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("subject", String(255), nullable=False),
    Column("type", String(64), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("taken_until", UtcDateTime),
)

doomed_blobs = Table(
    "doomed_blobs",
    metadata,
    Column("blob_key", String(255), primary_key=True),
    Column("doomed_at", UtcDateTime, nullable=False),
    Index(None, "doomed_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("subject", String(255), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", String(500), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    # The key id of the token that it was rotated to.
    Column("successor", String(16)),
)

tombstones = Table(
    "tombstones",
    metadata,
    # What was deleted, so that those who watch a tenant's tasks can be told.
    Column("task_id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("deleted_at", UtcDateTime, nullable=False),
    Column("master_type", String(32), nullable=False, server_default=DOLBY_ATMOS),
    Index(None, "tenant", "deleted_at", "task_id"),
    Index(None, "deleted_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("answer", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)

compatibility = Table(
    "compatibility",
    metadata,
    # The oldest revision whose programs can work with these tables: one row; see schema.py.
    Column("oldest_revision", String(32), primary_key=True),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("principal", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("resource", String(255), nullable=False),
    Column("address", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "tenant", "id"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("target", String(2048), nullable=False),
    Column("event_types", Json, nullable=False),
    Column("description", String(255), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # Null while it is enabled.
    Column("disabled_reason", String(16)),
    Column("failing_since", UtcDateTime),
    # Encrypted; see use_cases/signing.py. The older one signs until its time is over.
    Column("secret", LargeBinary, nullable=False),
    Column("older_secret", LargeBinary),
    Column("older_until", UtcDateTime),
    Index(None, "tenant", "id"),
)

_DUE = "due_at IS NOT NULL"
_ONCE = "subscription_id IS NULL"

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    # No foreign key: who writes an event waits for nobody who deletes a subscription.
    # Null for a target that is told of one event only.
    Column("subscription_id", Uuid),
    Column("target", String(2048), nullable=False),
    # See domain/subscriptions.py, host_of.
    Column("host", String(255), nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Null when it is final, and while the subscription is disabled.
    Column("due_at", UtcDateTime),
    Column("taken_until", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    # Somebody asked for it, a ping or a replay: its failure does not disable.
    Column("asked", Boolean, nullable=False),
    Column("last_status", Integer),
    Column("last_error", String(64)),
    Column("last_tried_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Index("uq_deliveries_event", "subscription_id", "event_id", unique=True),
    Index(
        "uq_deliveries_once",
        "event_id",
        "target",
        unique=True,
        sqlite_where=text(_ONCE),
        postgresql_where=text(_ONCE),
    ),
    Index("ix_deliveries_subscription_id_id", "subscription_id", "id"),
    Index("ix_deliveries_created_at", "created_at"),
    Index(
        "ix_deliveries_due_at",
        "due_at",
        sqlite_where=text(_DUE),
        postgresql_where=text(_DUE),
    ),
)
