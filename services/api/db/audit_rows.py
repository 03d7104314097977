"""The audit log: each entry is written in the transaction that did what it tells."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.db import aging, lists
from services.api.db.tables import audit_log
from services.api.domain.catalogue import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Connection, Row

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import Slice

COLLECTION = "audit_log"
_CLOCKS_DIFFER_BY = timedelta(days=1)
_TIME_BITS = 80
"""Behind the milliseconds of a UUIDv7 (RFC 9562, section 5.7)."""


def write(transaction: Transaction, who: Principal, action: str, resource: str) -> None:
    """Note that somebody did something, such as importTasks.create, to a resource."""
    row = {
        "id": uuid7(),
        "tenant": who.tenant,
        "principal": who.token_id[:255],
        "action": action,
        "resource": resource,
        "address": who.address[:255],
        "created_at": transaction.now(),
    }
    transaction.add(audit_log, row)
    transaction.count(who.tenant, COLLECTION, "", 1)


def fetch_page(connection: Connection, tenant: str, slice_: Slice) -> Page[AuditEntry]:
    """A page of a tenant's audit log."""
    return lists.fetch_page(
        connection,
        audit_log,
        [lists.equal(audit_log.c.tenant, tenant)],
        slice_,
        to_item=_to_entry,
        total=lambda: lists.kept_total(connection, tenant, COLLECTION),
    )


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some entries of before a moment, oldest first; gives how many.

    They are found by their ids, which begin with the time of the program that wrote them: a log
    that everybody writes to can do without one more index.
    """
    milliseconds = int((before + _CLOCKS_DIFFER_BY).timestamp() * 1000)
    bound = UUID(int=max(0, milliseconds) << _TIME_BITS)
    columns = audit_log.c
    old = (columns.id < bound, columns.created_at < before)
    tenants = aging.forget(transaction, audit_log, columns.id, limit, *old)
    for tenant, number in Counter(tenants).items():
        transaction.count(tenant, COLLECTION, "", -number)
    return len(tenants)


def _to_entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
