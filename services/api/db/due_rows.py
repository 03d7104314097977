"""What is due, some of each tenant: found without reading what else is due.

The index leads from one line (a status, a priority and a tenant) to the next, and to the longest
waiting of each: it costs what is found, however long the lines are.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Boolean, bindparam, func, or_, select, true

from services.api.db import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CTE, BindParameter, ColumnElement, Connection, Row, Select, Table

_LINE = ("status", "priority", "tenant")
_TOLD = (*_LINE, "id", "generation", "version", "due_at", "published", "traceparent")


class Line(NamedTuple):
    """What waits for the same thing: a tenant's of one status and one priority."""

    status: str = ""
    priority: int = -1
    tenant: str = ""


START = Line()
"""Before the first of all."""


def fetch(
    connection: Connection,
    table: Table,
    *,
    each: int,
    limit: int,
    after: Line,
    trust_silence: bool,
) -> Sequence[Row[Any]]:
    """The longest waiting rows of each line after one, in the order of the lines.

    There are up to ``each`` of a line and ``limit`` in all. Claimed rows count if silence is to be
    trusted, as their lease has ended.
    """
    values: dict[str, Any] = {"each": each, "limit": limit, "trust_silence": trust_silence}
    dialect = connection.dialect.name
    if dialect == "sqlite":
        values["now"] = clock.now(connection)
    values |= {f"after_{name}": value for name, value in after._asdict().items()}
    return connection.execute(_statement(table, dialect), values).all()


def line_of(row: Row[Any]) -> Line:
    """The line that a row stands in."""
    return Line(row.status, row.priority, row.tenant)


@cache
def _statement(table: Table, dialect: str) -> Select[Any]:
    columns = table.c
    start: list[BindParameter[Any]] = [bindparam(f"after_{name}") for name in _LINE]
    # Of a statement on its own: that is this moment, and one that an index can be asked for.
    now = bindparam("now") if dialect == "sqlite" else func.statement_timestamp()
    first = select(*(columns[name] for name in _LINE)).where(columns.id == _following(table, start))
    lines = first.cte("lines", recursive=True)
    next_one = table.alias()
    lines = lines.union_all(
        select(*(next_one.c[name] for name in _LINE)).select_from(
            lines.join(next_one, next_one.c.id == _following(table, [*lines.c]))
        )
    )
    waiting = (
        select(*(columns[name] for name in _TOLD))
        .where(*(columns[name] == lines.c[name] for name in _LINE))
        .where(columns.due_at <= now)
        .where(or_(columns.run_id.is_(None), bindparam("trust_silence", type_=Boolean)))
        .order_by(columns.due_at)
        .limit(bindparam("each"))
        .correlate(lines)
    )
    return _rows_of(lines, table, waiting, dialect).limit(bindparam("limit"))


def _following(table: Table, line: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The id of a row of the line behind one: by tenant, else by priority, else by status.

    In steps, as SQLite goes by the first column alone when it compares all three with a row.
    """
    rows = table.alias()
    ids = select(rows.c.id).where(rows.c.due_at.is_not(None))
    ids = ids.order_by(*(rows.c[name] for name in _LINE)).limit(1)
    steps = []
    for last in reversed(range(len(_LINE))):
        *same, behind = [rows.c[name] for name in _LINE[: last + 1]]
        is_same = [column == value for column, value in zip(same, line, strict=False)]
        found = ids.where(*is_same, behind > line[last]).correlate_except(rows)
        steps.append(found.scalar_subquery())
    return func.coalesce(*steps)


def _rows_of(lines: CTE, table: Table, rows: Select[Any], dialect: str) -> Select[Any]:
    """The rows that a statement finds for each line."""
    if dialect == "sqlite":  # which has no LATERAL
        again = table.alias()
        ids = rows.with_only_columns(table.c.id)
        found = lines.join(again, again.c.id.in_(ids))
        return select(*(again.c[name] for name in _TOLD)).select_from(found)
    each = rows.lateral()
    return select(*(each.c[name] for name in _TOLD)).select_from(lines.join(each, true()))
