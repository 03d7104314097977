"""Pages of a table: conditions, keyset or offset, and totals that are kept, not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Table, func, select

from services.api.db.tables import totals
from services.api.domain.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection, Row, Select

    from services.api.domain.queries import Slice

T = TypeVar("T")


def one_of(column: ColumnElement[Any], values: Collection[Any] | None) -> list[ColumnElement[bool]]:
    """The condition that a column is one of some values; none when they are not given."""
    return [] if values is None else [column.in_(values)]


def fetch_one(
    connection: Connection, query: Select[Any], to_item: Callable[[Row[Any]], T]
) -> T | None:
    """The one item of a query, or None."""
    row = connection.execute(query).one_or_none()
    return None if row is None else to_item(row)


def fetch_page(
    connection: Connection,
    table: Table,
    conditions: Sequence[ColumnElement[bool]],
    slice_: Slice,
    *,
    to_item: Callable[[Row[Any]], T],
    total: Callable[[], int],
) -> Page[T]:
    """One page, ids ascending; the total of all pages comes from ``total``."""
    where = [*conditions, *([table.c.id > slice_.after] if slice_.after else [])]
    rows = connection.execute(
        select(table)
        .where(*where)
        .order_by(table.c.id)
        .offset(slice_.skip or None)
        .limit(slice_.limit)
    )
    return Page(tuple(to_item(row) for row in rows), total())


def count(connection: Connection, table: Table, conditions: Sequence[ColumnElement[bool]]) -> int:
    """Count the rows of a narrow selection, by its index."""
    return connection.execute(
        select(func.count()).select_from(table).where(*conditions)
    ).scalar_one()


def kept_total(
    connection: Connection, tenant: str, collection: str, statuses: Collection[str] | None = None
) -> int:
    """The kept count of a tenant's collection, or of some of its statuses."""
    kept = select(func.coalesce(func.sum(totals.c.n), 0)).where(
        totals.c.tenant == tenant,
        totals.c.collection == collection,
        *one_of(totals.c.status, statuses),
    )
    return int(connection.execute(kept).scalar_one())
