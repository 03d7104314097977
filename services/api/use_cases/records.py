"""Records: read what was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.db import record_rows
from services.api.domain.queries import RecordQuery
from services.api.use_cases.found import found

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.domain.catalogue import Record
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal

__all__ = ["RecordQuery", "Records"]


@dataclass(frozen=True, slots=True)
class Records:
    """What clients can do with records."""

    executor: Executor

    async def get(self, who: Principal, id_: UUID) -> Record:
        """One record, valid or superseded. Raises NotFound."""
        who.require("records:read")
        record = await self.executor.read(lambda c: record_rows.find(c, who.tenant, id_))
        return found(record, record_rows.COLLECTION, id_)

    async def list(self, who: Principal, query: RecordQuery) -> Page[Record]:
        """A page of the tenant's valid records, oldest first."""
        who.require("records:read")
        return await self.executor.read(lambda c: record_rows.fetch_page(c, who.tenant, query))
