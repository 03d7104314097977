"""Removing the oldest rows of a table, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, tuple_

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    gone = delete(table).where(*among(keys, found)).returning(table.c.get("tenant", keys[0]))
    return transaction.connection.scalars(gone).all()


def among(
    columns: Sequence[Column[Any]], rows: Sequence[Sequence[Any]]
) -> Iterator[ColumnElement[bool]]:
    """That the columns have the values of one of the rows.

    Each is narrowed by itself as well: SQLite goes by no index for several together.
    """
    for place, column in enumerate(columns):
        yield column.in_({row[place] for row in rows})
    if len(columns) > 1:
        yield tuple_(*columns).in_([tuple(row) for row in rows])
