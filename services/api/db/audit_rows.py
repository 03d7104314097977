"""The audit log: each entry is written in the transaction that did what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import lists
from services.api.db.tables import audit_log
from services.api.domain.catalogue import AuditEntry

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy import Connection, Row

    from services.api.db.executor import Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import Slice

COLLECTION = "audit_log"


def write(transaction: Transaction, who: Principal, action: str, resource: str) -> None:
    """Note that somebody did something, such as importTasks.create, to a resource."""
    transaction.connection.execute(
        audit_log.insert().values(
            id=uuid7(),
            tenant=who.tenant,
            principal=who.token_id[:255],
            action=action,
            resource=resource,
            address=who.address[:255],
            created_at=transaction.now(),
        )
    )
    transaction.count(who.tenant, COLLECTION, "", 1)


def fetch_page(connection: Connection, tenant: str, slice_: Slice) -> Page[AuditEntry]:
    """A page of a tenant's audit log."""
    return lists.fetch_page(
        connection,
        audit_log,
        [audit_log.c.tenant == tenant],
        slice_,
        to_item=_to_entry,
        total=lambda: lists.kept_total(connection, tenant, COLLECTION),
    )


def _to_entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
