"""Tasks that wait, in numbers that no client would bring one by one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from services.api.db.engine import open_engines
from services.api.db.task_rows import COLLECTION, OF_TYPE
from services.api.domain.lifecycle import Priority, Status
from services.api.domain.task import DOLBY_ATMOS

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Numbers far above those of the tasks that come later.
_TASKS = text("""
    INSERT INTO import_tasks (id, tenant, status, generation, version, created_at, updated_at,
        due_at, priority, attempts, published, problems, master_type, source_uri, number)
    SELECT gen_random_uuid(), :tenant, :status, 1, 1, now(), now(),
        now(), :priority, 0, 0, '[]', :master_type, 'https://cdn.example.com/bulk.wav', 1000000 + n
    FROM generate_series(1, :count) AS n
""")
_TOTAL = text("INSERT INTO totals VALUES (:tenant, :collection, :status, :count)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """So many pending tasks of a tenant."""

    tenant: str
    count: int
    priority: Priority = Priority.INTERACTIVE

    def put(self, url: str) -> None:
        """Put them into a PostgreSQL, with the kept counts that go with them."""
        asyncio.run(self._put(url))

    async def _put(self, url: str) -> None:
        engines = open_engines(url)
        try:
            async with engines.write.begin() as connection:
                await connection.run_sync(self._insert)
            async with engines.read.connect() as connection:
                await connection.execute(text("VACUUM ANALYZE"))
        finally:
            await engines.dispose()

    def _insert(self, connection: Connection) -> None:
        of_all = {"tenant": self.tenant, "status": Status.PENDING, "count": self.count}
        values = {"priority": self.priority, "master_type": DOLBY_ATMOS}
        connection.execute(_TASKS, of_all | values)
        for collection in (COLLECTION, OF_TYPE.format(master_type=DOLBY_ATMOS)):
            connection.execute(_TOTAL, of_all | {"collection": collection})
