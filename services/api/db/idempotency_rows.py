"""Idempotency keys: the first request with a key decides its answer, until it is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from services.api.db import aging
from services.api.db.lookups import Lookup, pairs
from services.api.db.tables import idempotency_keys as keys
from services.api.domain.errors import KeyReused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from services.api.db.transactions import Transaction

_QUERY = select(keys).where(
    keys.c.tenant.in_(bindparam("tenants", expanding=True)),
    keys.c.key.in_(bindparam("keys", expanding=True)),
)


def _fetch(
    connection: Connection, wanted: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Row[Any]]:
    return {(row.tenant, row.key): row for row in connection.execute(_QUERY, pairs(wanted))}


KEYS = Lookup(_fetch)
"""What is kept by a tenant's key."""


def claim(transaction: Transaction, tenant: str, key: str, fingerprint: str) -> Any | None:
    """The answer that the key stands for, or None when this request is its first. Raises KeyReused.

    Of requests that run at the same time one can ``settle``; the others run again after it.
    """
    transaction.claim((tenant, key))
    row = transaction.find(KEYS, (tenant, key))
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise KeyReused
    return row.answer


def settle(transaction: Transaction, tenant: str, key: str, fingerprint: str, answer: Any) -> None:
    """Keep the answer of the first request."""
    row = {"tenant": tenant, "key": key, "fingerprint": fingerprint, "answer": answer}
    transaction.add(keys, row | {"created_at": transaction.now()})


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some keys of before a moment, oldest first; gives how many."""
    when = keys.c.created_at
    return len(aging.forget(transaction, keys, when, limit, when < before))
