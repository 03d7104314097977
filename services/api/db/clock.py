"""The wall clock of the database: the one clock that leases and due times go by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import DateTime, func, select

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CLOCK = select(func.clock_timestamp(type_=DateTime(timezone=True)))


def now(connection: Connection) -> datetime:
    """This moment, not the start of the transaction."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)  # SQLite runs in this process
    return connection.execute(_CLOCK).scalar_one().astimezone(UTC)
