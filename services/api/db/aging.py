"""Removing the oldest rows of a table, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, tuple_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement, Table

    from services.api.db.transactions import Transaction


def forget(
    transaction: Transaction,
    table: Table,
    order: Column[Any],
    limit: int,
    *conditions: ColumnElement[bool],
) -> Sequence[str]:
    """Remove the first rows of an order that meet the conditions; gives the tenant of each.

    Those that another transaction is about to remove are left to it. Where rows have no tenant,
    their keys are given.
    """
    keys = list(table.primary_key)
    first = select(*keys).where(*conditions).order_by(order).limit(limit)
    found = transaction.connection.execute(first.with_for_update(skip_locked=True)).all()
    if not found:
        return []
    # By their keys, not by the query: a planner must not choose to read the whole table.
    if len(keys) == 1:
        these = keys[0].in_([row[0] for row in found])
    else:
        these = tuple_(*keys).in_([tuple(row) for row in found])
    gone = delete(table).where(these).returning(table.c.get("tenant", keys[0]))
    return transaction.connection.scalars(gone).all()
