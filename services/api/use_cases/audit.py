"""The audit log, for those who may read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.db import audit_rows
from services.api.domain.principal import ADMIN

if TYPE_CHECKING:
    from services.api.db.executor import Executor
    from services.api.domain.catalogue import AuditEntry
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import Slice


@dataclass(frozen=True, slots=True)
class Audit:
    """What was done, by whom, from where."""

    executor: Executor

    async def list(self, who: Principal, slice_: Slice) -> Page[AuditEntry]:
        """A page of the tenant's audit log. Needs the scope admin."""
        who.require(ADMIN)
        return await self.executor.read(lambda c: audit_rows.fetch_page(c, who.tenant, slice_))
