"""Bytes that nothing names: which they are, and that they are gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.db import blob_rows, upload_rows

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from services.api.db.executor import Executor


@dataclass(frozen=True, slots=True)
class Blobs:
    """What the scrub asks the database."""

    executor: Executor

    async def doomed(self, limit: int) -> list[str]:
        """Some keys that are to be deleted, longest waiting first."""
        return await self.executor.read(lambda c: blob_rows.fetch_doomed(c, limit))

    async def forget(self, keys: Collection[str]) -> None:
        """Strike keys whose bytes are gone."""
        await self.executor.write(lambda t: blob_rows.forget_doomed(t, keys))

    async def unknown(self, keys: Collection[str]) -> set[str]:
        """Those of the keys that nothing names or waits for, and that are not doomed."""

        def known(connection: Connection) -> set[str]:
            others = blob_rows.keys_doomed(connection, keys)
            others |= upload_rows.keys_awaited(connection, keys)
            return others | blob_rows.keys_in_use(connection, keys)

        return set(keys) - await self.executor.read(known)
