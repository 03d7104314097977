"""Idempotency keys: the first request with a key decides its answer, until it is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from services.api.db import aging
from services.api.db.tables import idempotency_keys as keys
from services.api.domain.errors import KeyReused

if TYPE_CHECKING:
    from datetime import datetime

    from services.api.db.executor import Transaction


def claim(transaction: Transaction, tenant: str, key: str, fingerprint: str) -> Any | None:
    """The answer that the key stands for, or None when this request is its first.

    A request that runs at the same time waits here for the other one's commit. Raises KeyReused.
    """
    this = (keys.c.tenant == tenant, keys.c.key == key)
    new = transaction.insert(keys).values(
        tenant=tenant, key=key, fingerprint=fingerprint, answer=[], created_at=transaction.now()
    )
    if transaction.connection.execute(new.on_conflict_do_nothing()).rowcount:
        return None
    row = transaction.connection.execute(select(keys).where(*this)).one()
    if row.fingerprint != fingerprint:
        raise KeyReused
    return row.answer


def settle(transaction: Transaction, tenant: str, key: str, answer: Any) -> None:
    """Keep the answer of the first request."""
    transaction.connection.execute(
        update(keys).where(keys.c.tenant == tenant, keys.c.key == key).values(answer=answer)
    )


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some keys of before a moment, oldest first; gives how many."""
    when = keys.c.created_at
    return len(aging.forget(transaction, keys, when, limit, when < before))
