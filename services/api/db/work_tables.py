"""The columns that everything has that runs work on: see domain/work.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, String, Uuid, text

from services.api.db.types import Json, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Iterator

_DUE = "due_at IS NOT NULL"


def work_columns() -> Iterator[Column[Any]]:
    """Those of a task and of a publication alike."""
    yield Column("id", Uuid, primary_key=True)
    yield Column("tenant", String(63), nullable=False)
    yield Column("status", String(32), nullable=False)
    yield Column("generation", Integer, nullable=False)
    yield Column("version", BigInteger, nullable=False)
    yield Column("created_at", UtcDateTime, nullable=False)
    yield Column("updated_at", UtcDateTime, nullable=False)
    yield Column("due_at", UtcDateTime)
    yield Column("priority", SmallInteger, nullable=False, server_default="0")
    yield Column("attempts", Integer, nullable=False)
    yield Column("published", Integer, nullable=False)
    # The claim: all three or none.
    yield Column("run_id", Uuid)
    yield Column("lease_until", UtcDateTime)
    yield Column("deadline", UtcDateTime)
    yield Column("done_bytes", BigInteger)
    yield Column("total_bytes", BigInteger)
    yield Column("problems", Json, nullable=False)
    yield Column("last_failure", Json)
    # In which trace the present generation was asked for (W3C Trace Context).
    yield Column("traceparent", String(55))


def due_index(table: str) -> Index:
    """What the dispatcher looks for: see due_rows.py."""
    return Index(
        f"ix_{table}_due",
        "status",
        "priority",
        "tenant",
        "due_at",
        sqlite_where=text(_DUE),
        postgresql_where=text(_DUE),
    )
