"""What the databases are going to do for a statement: which tables they would read whole."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import event, func, select

from services.api.db.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

    from services.api.db.engine import Engines

SMALL = frozenset(
    {
        *("tenant_settings", "tenant_storage", "daily_creates", "totals", "numbers", "tokens"),
        *("subscriptions", "dead_letters", "compatibility"),
    }
)
"""What grows with tenants, or not at all. All other tables grow with the tasks."""
MANY = 1000
_VERBS = ("SELECT", "UPDATE", "DELETE", "WITH")
_SCAN = re.compile(r"SCAN (?P<table>\w+)(?P<ordered> USING (?:COVERING )?INDEX)?")
_OF_A_TENANT = re.compile(r"SEARCH (?P<table>\w+) USING .*INDEX \w+ \(tenant=\?\)")

_SORT = "USE TEMP B-TREE FOR ORDER BY"


class Said(NamedTuple):
    """A statement, with the parameters of one of its executions."""

    statement: str
    parameters: Any


@contextmanager
def recorded(engines: Engines) -> Iterator[list[Said]]:
    """Each statement that either engine is given while the context lasts, once."""
    seen: dict[str, Said] = {}
    said: list[Said] = []

    def note(*given: Any) -> None:
        _, _, statement, parameters, _, many = given
        if statement.lstrip().startswith(_VERBS) and statement not in seen:
            seen[statement] = Said(statement, parameters[0] if many else parameters)
            said.append(seen[statement])

    both = [engine.sync_engine for engine in (engines.read, engines.write)]
    for engine in both:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        for engine in both:
            event.remove(engine, "before_cursor_execute", note)


def growing() -> set[str]:
    """The tables that grow with the tasks."""
    return {*metadata.tables} - SMALL


def filled(connection: Connection) -> set[str]:
    """Those of them that have many rows."""
    return {name for name in growing() if _count(connection, name) > MANY}


def _count(connection: Connection, name: str) -> int:
    return connection.scalar(select(func.count()).select_from(metadata.tables[name])) or 0


def complaints(connection: Connection, said: Said, tables: Collection[str]) -> list[str]:
    """What a statement would do with these tables that takes the longer the larger they are."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said.statement}", said.parameters)
        details = [row.detail for row in rows]
        return [*_of_sqlite(said.statement, details, tables)]
    return [*_of_postgresql(_plan(connection, said), tables, is_page=False)]


def needs_an_index(connection: Connection, said: Said, tables: Collection[str]) -> bool:
    """Whether PostgreSQL could not but read one of these tables whole, however few rows it has."""
    return any(
        node["Node Type"] == "Seq Scan" and node["Relation Name"] in tables
        for node in _nodes(_plan(connection, said))
    )


def _plan(connection: Connection, said: Said) -> Any:
    explain = f"EXPLAIN (FORMAT JSON) {said.statement}"
    told = connection.exec_driver_sql(explain, said.parameters).scalar_one()
    return (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _of_sqlite(statement: str, details: list[str], tables: Collection[str]) -> Iterator[str]:
    is_page, in_any = "LIMIT" in statement, any(f" {each} " in details[0] for each in tables)
    for detail in details:
        scan, search = _SCAN.match(detail), _OF_A_TENANT.match(detail)
        # In the order of an index, and no further than a page.
        if scan and scan["table"] in tables and not (scan["ordered"] and is_page):
            yield detail
        if search and search["table"] in tables and not is_page:
            yield f"{detail}: all of a tenant"
        # It sorts what has no page, which is narrow, and what it is told to: see lists.unindexed.
        if detail == _SORT and in_any and is_page and "ORDER BY +" not in statement:
            yield detail


def _of_postgresql(node: Any, tables: Collection[str], *, is_page: bool) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name")
    is_whole = kind.endswith("Scan") and not node.keys() & {
        "Index Cond",
        "Recheck Cond",
        "TID Cond",
    }
    if table in tables and is_whole and (kind == "Seq Scan" or not is_page):
        yield f"{kind} of all of {table}"
    if kind in {"Sort", "Incremental Sort"} and node["Plan Rows"] > MANY:
        yield f"{kind} of {node['Plan Rows']} rows by {', '.join(node['Sort Key'])}"
    for child in node.get("Plans", ()):
        yield from _of_postgresql(child, tables, is_page=is_page or kind == "Limit")
