"""Quotas: how many bytes a tenant may store; the operator says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.db import audit_rows, storage_rows
from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.principal import ADMIN, TENANT, Principal
from services.api.use_cases.tokens import OPERATOR

if TYPE_CHECKING:
    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction

NAME = "settings"


@dataclass(frozen=True, slots=True)
class Quotas:
    """What an operator can do with quotas."""

    executor: Executor

    async def set(self, tenant: str, quota: int | None) -> None:
        """Let a tenant store so many bytes, any number for 0, as many as all others for None.

        What it stores already stays. Raises InvalidFields for what is no tenant's name.
        """
        if not TENANT.fullmatch(tenant):
            detail = "A tenant's name is of a-z, 0-9 and hyphens."
            raise InvalidFields(Violation("tenant", "invalid", detail))
        operator = Principal(tenant=tenant, token_id=OPERATOR, scopes=frozenset({ADMIN}))

        def unit(transaction: Transaction) -> None:
            storage_rows.set_quota(transaction, tenant, quota)
            audit_rows.write(transaction, operator, "settings.setQuota", NAME)

        await self.executor.write(unit)
