"""Pages of a table in any order, and totals that are kept, not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, FromClause, and_, func, or_, select

from services.api.db.tables import totals
from services.api.domain.page import Page
from services.api.domain.queries import key_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection, Row, Select

    from services.api.domain.queries import Order, Position, Slice

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


def exists(connection: Connection, table: FromClause, *conditions: ColumnElement[bool]) -> bool:
    """Whether a table has such a row."""
    row = connection.execute(select(table.c.id).where(*conditions).limit(1)).first()
    return row is not None


def fetch_page(
    connection: Connection,
    table: FromClause,
    conditions: Sequence[ColumnElement[bool]],
    slice_: Slice,
    *,
    to_item: Callable[[Row[Any]], T],
    total: Callable[[], int],
) -> Page[T]:
    """One page; the total of all pages comes from ``total``.

    A page before a position is read backwards from there and turned around.
    """
    keys = key_fields(slice_.order)
    backwards = slice_.before is not None and slice_.after is None
    travel = tuple((name, down != backwards) for name, down in keys)
    where = [*conditions]
    if slice_.after is not None:
        where.append(_beyond(table, keys, slice_.after))
    if slice_.before is not None:
        where.append(_beyond(table, tuple((name, not down) for name, down in keys), slice_.before))
    rows = connection.execute(
        select(table)
        .where(*where)
        .order_by(*(_directed(table, name, down) for name, down in travel))
        .offset(slice_.skip or None)
        .limit(slice_.limit + 1)
    ).all()
    items = [to_item(row) for row in rows[: slice_.limit]]
    if backwards:
        items.reverse()
    return Page(tuple(items), total(), len(rows) > slice_.limit)


def _directed(table: FromClause, name: str, down: bool) -> ColumnElement[Any]:  # noqa: FBT001 - a pair
    column: ColumnElement[Any] = table.c[name]
    return column.desc() if down else column.asc()


def _beyond(table: FromClause, keys: Order, position: Position) -> ColumnElement[bool]:
    """The rows that come after a position: later in one field, equal in those before it."""
    cases = []
    for depth, (name, down) in enumerate(keys):
        equal = [table.c[n] == position[i] for i, (n, _) in enumerate(keys[:depth])]
        column = table.c[name]
        cases.append(and_(*equal, column < position[depth] if down else column > position[depth]))
    return or_(*cases)


def count(
    connection: Connection, table: FromClause, conditions: Sequence[ColumnElement[bool]]
) -> int:
    """Count the rows of a narrow selection, by its index."""
    counted = select(func.count()).select_from(table).where(*conditions)
    return connection.execute(counted).scalar_one()


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
