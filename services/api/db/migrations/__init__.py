"""The steps from an empty database to the present tables, run by Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.api.db.engine import Engines


def config(connection: Connection) -> Config:
    """Alembic's settings for this connection."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings


async def upgrade(engines: Engines, revision: str = "head") -> None:
    """Bring the database to a revision; does nothing when it is there already."""
    async with engines.write.connect() as connection:
        await connection.run_sync(lambda c: command.upgrade(_patient(c), revision))
        await connection.commit()


async def downgrade(engines: Engines, revision: str) -> None:
    """Take the database back to a revision."""
    async with engines.write.connect() as connection:
        await connection.run_sync(lambda c: command.downgrade(_patient(c), revision))
        await connection.commit()


def _patient(connection: Connection) -> Config:
    if connection.dialect.name == "postgresql":
        # A large table's index takes longer than a request may.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    return config(connection)
