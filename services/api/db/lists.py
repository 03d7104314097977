"""Pages of a table in any order, and totals that are kept, not counted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from services.api.db.lookups import padded
from services.api.db.tables import totals
from services.api.domain.page import Page
from services.api.domain.queries import key_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sqlalchemy import BindParameter, Connection, Row, Select
    from sqlalchemy.sql.compiler import SQLCompiler

    from services.api.domain.queries import Order, Position, Slice

T = TypeVar("T")

FEW = 500
"""To sort so many costs no more than a page."""


class Condition(NamedTuple):
    """What every row of a list is: that a column ``is`` a value, or is ``among`` some.

    Without either it says what is the same for every list.
    """

    element: ColumnElement[Any]
    is_: Any = None
    among: Collection[Any] | None = None
    fixed: bool = False


def equal(column: ColumnElement[Any], value: Any) -> Condition:
    """That a column is a value."""
    return Condition(column, is_=value)


def one_of(column: ColumnElement[Any], values: Collection[Any] | None) -> list[Condition]:
    """That a column is one of some values; nothing when they are not given."""
    return [] if values is None else [Condition(column, among=values)]


def always(element: ColumnElement[bool]) -> Condition:
    """What is the same for every list."""
    return Condition(element, fixed=True)


class unindexed(FunctionElement[Any]):  # noqa: N801 - a function of SQL
    """A column, so that SQLite does not go by an index of it: it knows nothing of single values."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        """Be of the column's type."""
        super().__init__(column)
        self.type = column.type


@compiles(unindexed)
def _plain(element: unindexed, compiler: SQLCompiler, **words: Any) -> str:
    return compiler.process(element.clauses, **words)


@compiles(unindexed, "sqlite")
def _unindexed(element: unindexed, compiler: SQLCompiler, **words: Any) -> str:
    return f"+{compiler.process(element.clauses, **words)}"


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
    conditions: Sequence[Condition],
    slice_: Slice,
    *,
    to_item: Callable[[Row[Any]], T],
    total: Callable[[], int],
    scattered: bool = False,
) -> Page[T]:
    """One page; the total of all pages comes from ``total``.

    A page before a position is read backwards from there and turned around. Of a list whose rows
    are ``scattered`` over an index few are sorted, rather than searched for in order.
    """
    in_all = total()
    keys = key_fields(slice_.order)
    after, before = slice_.after, slice_.before
    sides = (after is not None, before is not None)
    sorts = scattered and in_all <= FEW
    query = _page_query(table, _shapes(conditions), keys, sides, sorts=sorts)
    values = {
        **_values(conditions),
        **_position(_AFTER, after),
        **_position(_BEFORE, before),
        "skip": slice_.skip,
        "limit": slice_.limit + 1,
    }
    rows = connection.execute(query, values).all()
    items = [to_item(row) for row in rows[: slice_.limit]]
    if before is not None and after is None:
        items.reverse()
    return Page(tuple(items), in_all, len(rows) > slice_.limit)


def count(connection: Connection, table: FromClause, conditions: Sequence[Condition]) -> int:
    """Count the rows of a narrow selection, by its index."""
    query = _count_query(table, _shapes(conditions))
    return int(connection.execute(query, _values(conditions)).scalar_one())


_Shape = tuple[ColumnElement[Any], bool, bool]
_AFTER, _BEFORE = "after", "before"


def _shapes(conditions: Sequence[Condition]) -> tuple[_Shape, ...]:
    """What the statement depends on: not the values."""
    return tuple((each.element, each.among is not None, each.fixed) for each in conditions)


def _values(conditions: Sequence[Condition]) -> dict[str, Any]:
    return {
        f"is_{index}": each.is_ if each.among is None else padded(each.among)
        for index, each in enumerate(conditions)
        if not each.fixed
    }


def _position(side: str, position: Position | None) -> dict[str, Any]:
    return {f"{side}_{depth}": value for depth, value in enumerate(position or ())}


# Building a statement, and finding out that it is one that was compiled before, costs more than
# asking the database: those of the usual lists are kept.
@lru_cache(maxsize=512)
def _page_query(
    table: FromClause,
    shapes: tuple[_Shape, ...],
    keys: Order,
    sides: tuple[bool, bool],
    *,
    sorts: bool,
) -> Select[Any]:
    after, before = sides
    backwards = before and not after
    where = [*_where(shapes)]
    if after:
        where.append(_beyond(table, keys, _AFTER))
    if before:
        where.append(_beyond(table, tuple((name, not down) for name, down in keys), _BEFORE))
    return (
        select(table)
        .where(*where)
        .order_by(*(_directed(table.c[name], down != backwards, sorts) for name, down in keys))
        .offset(bindparam("skip", type_=BigInteger))
        .limit(bindparam("limit", type_=Integer))
    )


@lru_cache(maxsize=512)
def _count_query(table: FromClause, shapes: tuple[_Shape, ...]) -> Select[Any]:
    return select(func.count()).select_from(table).where(*_where(shapes))


def _where(shapes: tuple[_Shape, ...]) -> Iterator[ColumnElement[bool]]:
    for index, (element, is_list, is_fixed) in enumerate(shapes):
        name = f"is_{index}"
        if is_fixed:
            yield element
        elif is_list:
            yield element.in_(bindparam(name, expanding=True))
        else:
            yield element == bindparam(name)


def _directed(column: ColumnElement[Any], down: bool, sorts: bool) -> ColumnElement[Any]:  # noqa: FBT001 - a pair
    key = unindexed(column) if sorts else column
    return key.desc() if down else key.asc()


def _beyond(table: FromClause, keys: Order, side: str) -> ColumnElement[bool]:
    """The rows that come after a position: later in one field, equal in those before it.

    An index is entered at the position where all fields go one way, else where the first one is.
    """
    columns = [table.c[name] for name, _ in keys]
    bounds: list[BindParameter[Any]] = [
        bindparam(f"{side}_{depth}", type_=column.type) for depth, column in enumerate(columns)
    ]
    if len({down for _, down in keys}) == 1:
        here, there = tuple_(*columns), tuple_(*bounds)
        return here < there if keys[0][1] else here > there
    cases = []
    for depth, (_, down) in enumerate(keys):
        equals = [columns[i] == bounds[i] for i in range(depth)]
        column, bound = columns[depth], bounds[depth]
        cases.append(and_(*equals, column < bound if down else column > bound))
    first = columns[0] <= bounds[0] if keys[0][1] else columns[0] >= bounds[0]
    return and_(first, or_(*cases))


_KEPT = select(func.coalesce(func.sum(totals.c.n), 0)).where(
    totals.c.tenant == bindparam("tenant"),
    totals.c.collection.in_(bindparam("collections", expanding=True)),
)
_KEPT_OF = _KEPT.where(totals.c.status.in_(bindparam("statuses", expanding=True)))


def kept_total(
    connection: Connection,
    tenant: str,
    *collections: str,
    statuses: Collection[str] | None = None,
) -> int:
    """The sum of the kept counts of a tenant's collections, or of some of their statuses."""
    asked = {"tenant": tenant, "collections": collections}
    if statuses is None:
        return int(connection.execute(_KEPT, asked).scalar_one())
    return int(connection.execute(_KEPT_OF, asked | {"statuses": [*statuses]}).scalar_one())
