"""Stagedoor's own tables for SQLAlchemy's ORM: the columns that are written or shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Integer, LargeBinary, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_PENDING = "import_task.pending"
_SUBJECT = f"stagedoor.events.default.{_PENDING}"


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """The tables."""


class Task(Base):
    """An import task; a new one is pending."""

    __tablename__ = "import_tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant: Mapped[str] = mapped_column(String(63), default="default")
    status: Mapped[str] = mapped_column(String(32), default="pending")
    generation: Mapped[int] = mapped_column(Integer, default=1)
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=now)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    published: Mapped[int] = mapped_column(Integer, default=0)
    problems: Mapped[list[Any]] = mapped_column(JSONB, default=list)
    master_type: Mapped[str] = mapped_column(String(32), default="dolby_atmos")
    source_uri: Mapped[str | None] = mapped_column(String(2048))
    isrc: Mapped[str | None] = mapped_column(String(12))
    target_type: Mapped[str | None] = mapped_column(String(32), default="tracks")
    target_id: Mapped[UUID | None]
    declared_md5: Mapped[str | None] = mapped_column(String(32))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    actual_md5: Mapped[str | None] = mapped_column(String(32))
    delivery_profile: Mapped[str | None] = mapped_column(String(63))


class Event(Base):
    """A row of the outbox."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    subject: Mapped[str] = mapped_column(String(255), default=_SUBJECT)
    type: Mapped[str] = mapped_column(String(64), default=f"stagedoor.{_PENDING}")
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


def event_of(task: Task) -> Event:
    """The event of a new task."""
    return Event(payload=task.id.bytes)
