"""A transaction that many units share, and what one unit sees of it.

A unit that only reads and adds costs the database its reads: what it adds is written at the end,
with what all others add, a statement for each table; and as it has done nothing before, a refusal
undoes nothing. The first other statement of a unit has everything written that was added so far,
and a savepoint made, to which a refusal leads back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from services.api.db import clock
from services.api.db.lookups import padded
from services.api.db.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from datetime import datetime

    from sqlalchemy import Connection, Insert, NestedTransaction, Table

    from services.api.db.lookups import Ask, Lookup

T = TypeVar("T")
K = TypeVar("K", bound="Hashable")
V = TypeVar("V")
Values = dict[str, Any]

_NOW = "now"


class Again(Exception):  # noqa: N818 - not an error but a request
    """The unit has to run after this transaction, alone."""


class BrokenError(Exception):
    """What units before this one added cannot be written: each has to run alone."""

    def __init__(self, cause: SQLAlchemyError) -> None:
        """Keep what the database said."""
        super().__init__(str(cause))
        self.cause = cause


@dataclass(slots=True)
class Flight:
    """One transaction of the database, and what its units that ended well leave to be done.

    ``topics`` are to be signalled after the commit, ``totals`` and ``stored`` are changes of kept
    counts. ``claimed`` are marks that only one unit may set.
    """

    connection: Connection
    numbers: Numbers = field(default_factory=Numbers)
    topics: set[str] = field(default_factory=set)
    totals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    claimed: set[Hashable] = field(default_factory=set)
    known: dict[Hashable, Any] = field(default_factory=dict)
    _added: dict[Table, list[Values]] = field(default_factory=dict)

    def add(self, table: Table, row: Values) -> None:
        """Leave a row to be written."""
        self._added.setdefault(table, []).append(row)

    def prepare(self, asks: Iterable[Ask]) -> None:
        """Look up what units will ask for, a statement for each lookup. Raises BrokenError."""
        wanted: dict[Lookup[Any, Any], dict[Hashable, None]] = {}
        for lookup, key in asks:
            wanted.setdefault(lookup, {})[key] = None
        try:
            for lookup, keys in wanted.items():
                found = lookup.fetch(self.connection, padded(keys))
                self.known.update({(lookup, key): found.get(key) for key in keys})
        except SQLAlchemyError as error:
            raise BrokenError(error) from error

    def flush(self) -> None:
        """Write what was added. Raises BrokenError."""
        added, self._added = self._added, {}
        try:
            for table, rows in added.items():
                self.connection.execute(_insert_into(table), rows)
        except SQLAlchemyError as error:
            raise BrokenError(error) from error


@dataclass(slots=True)
class Transaction:
    """What a unit works with; ``traceparent`` says in which trace it was asked for, if in one.

    Whoever calls a unit ends it: with ``keep`` or ``drop``.
    """

    flight: Flight
    traceparent: str | None = None
    _topics: set[str] = field(default_factory=set)
    _totals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _stored: Counter[str] = field(default_factory=Counter)
    _claimed: set[Hashable] = field(default_factory=set)
    _added: list[tuple[Table, Values]] = field(default_factory=list)
    _savepoint: NestedTransaction | None = None

    @property
    def connection(self) -> Connection:
        """For any statement; all that was added is there, and nothing is remembered any more."""
        connection = self.flight.connection
        if self._savepoint is None:
            self.flight.flush()
            self._savepoint = connection.begin_nested()
        added, self._added = self._added, []
        for table, row in added:
            connection.execute(_insert_into(table), row)
        self.flight.known.clear()
        return connection

    @property
    def unguarded(self) -> Connection:
        """Without a savepoint, before what was added: to read, and for units that refuse nothing.

        An error of the database here ends the transaction for all of its units, who run again.
        """
        return self.flight.connection

    @property
    def stored_before(self) -> Counter[str]:
        """The changes of the bytes that tenants store, by the units before this one."""
        return self.flight.stored

    @property
    def has_savepoint(self) -> bool:
        """Whether it can be undone after the database has refused a statement."""
        return self._savepoint is not None

    def now(self) -> datetime:
        """The wall clock of the database, not the start of the transaction.

        It stands still while units only read and add, which takes milliseconds.
        """
        return self.remembered(_NOW, lambda: clock.now(self.flight.connection))

    def remembered(self, key: Hashable, find: Callable[[], T]) -> T:
        """What was found by somebody before, as long as nobody can have changed it."""
        known = self.flight.known
        if key not in known:
            known[key] = find()
        found: T = known[key]
        return found

    def find(self, lookup: Lookup[K, V], key: K) -> V | None:
        """What a lookup finds by this key; one that the caller asked for is looked up already."""
        return self.remembered(
            (lookup, key), lambda: lookup.fetch(self.flight.connection, (key,)).get(key)
        )

    def add(self, table: Table, row: Values) -> None:
        """Write a row at the end, with a value for each column that any row of its table has.

        Until then no lookup finds it.
        """
        self._added.append((table, row))

    def claim(self, mark: Hashable) -> None:
        """Be the only unit of this transaction with this mark. Raises Again for a second one."""
        if mark in self.flight.claimed:
            raise Again
        self._claimed.add(mark)

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that knows ON CONFLICT."""
        return insert(self.flight.connection, table)

    def notify(self, topic: str) -> None:
        """Signal the topic once the transaction has committed."""
        self._topics.add(topic)

    def count(self, tenant: str, collection: str, status: str, by: int) -> None:
        """Change the kept count of a collection."""
        self._totals[tenant, collection, status] += by

    def number(self, tenant: str, collection: str) -> int:
        """A number for something new; the executor runs the unit again if it must fetch some."""
        return self.flight.numbers.next((tenant, collection))

    def store(self, tenant: str, by: int) -> None:
        """Change the kept count of the bytes that a tenant stores."""
        self._stored[tenant] += by

    def keep(self) -> None:
        """Let the flight have what the unit did."""
        flight = self.flight
        if self._savepoint is not None:
            self._savepoint.commit()
            flight.known.clear()
        flight.topics |= self._topics
        flight.totals.update(self._totals)
        flight.stored.update(self._stored)
        flight.claimed |= self._claimed
        for table, row in self._added:
            flight.add(table, row)

    def drop(self) -> None:
        """Undo what the unit did. Raises SQLAlchemyError."""
        if self._savepoint is not None:
            self._savepoint.rollback()
            self.flight.known.clear()


@cache
def _insert_into(table: Table) -> Insert:
    """Made once: who is given the same statement again need not look what it is."""
    return table.insert()


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of this database's dialect."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
