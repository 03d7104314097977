"""A transaction that many units share, and what one unit sees of it.

A unit that only looks up, adds and changes rows by their ids makes no statement of its own: what it
leaves is written at the end, with what all others leave, a statement for each kind; and as it has
done nothing before, a refusal undoes nothing. The first other statement of a unit has everything
written that was left so far, and a savepoint made, to which a refusal leads back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from services.api.db import clock
from services.api.db.lookups import Of, padded
from services.api.db.numbers import Key, Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Insert, NestedTransaction, Table, Update

    from services.api.db.lookups import Ask, Lookup

T = TypeVar("T")
K = TypeVar("K", bound="Hashable")
V = TypeVar("V")
Values = dict[str, Any]

_NOW = "now"
_ROW = "row_id"


class Again(Exception):  # noqa: N818 - not an error but a request
    """The unit has to run after this transaction, alone."""


class NeedsGuard(Exception):  # noqa: N818 - not an error but a request
    """The unit has to run after those that make no statement of their own."""


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
    _changed: dict[tuple[Table, Hashable], Values] = field(default_factory=dict)

    def add(self, table: Table, row: Values) -> None:
        """Leave a row to be written."""
        self._added.setdefault(table, []).append(row)

    def change(self, table: Table, id_: Hashable, values: Values) -> None:
        """Leave a change of a row to be written, over what was left for it before."""
        self._changed.setdefault((table, id_), {}).update(values)

    def prepare(self, asks: Iterable[Ask]) -> None:
        """Look up what units will ask for, a statement for each lookup. Raises BrokenError."""
        plain: dict[Lookup[Any, Any], dict[Hashable, None]] = {}
        told: list[tuple[Lookup[Any, Any], Of]] = []
        for lookup, key in asks:
            if isinstance(key, Of):
                told.append((lookup, key))
            else:
                plain.setdefault(lookup, {})[key] = None
        try:
            self._look_up(plain)
            behind: dict[Lookup[Any, Any], dict[Hashable, None]] = {}
            for lookup, of in told:
                found = self.known.get((of.lookup, of.key))
                if found is not None and (last := of.tell(found)) is not None:
                    behind.setdefault(lookup, {})[last] = None
            self._look_up(behind)
        except SQLAlchemyError as error:
            raise BrokenError(error) from error

    def _look_up(self, wanted: Mapping[Lookup[Any, Any], Collection[Hashable]]) -> None:
        for lookup, keys in wanted.items():
            found = lookup.fetch(self.connection, padded(keys))
            self.known.update({(lookup, key): found.get(key) for key in keys})

    def flush(self) -> None:
        """Write what was added. Raises BrokenError."""
        added, self._added = self._added, {}
        changed, self._changed = self._changed, {}
        alike: dict[tuple[Table, tuple[str, ...]], list[Values]] = {}
        for (table, id_), values in changed.items():
            alike.setdefault((table, tuple(values)), []).append({**values, _ROW: id_})
        try:
            for table, rows in added.items():
                self.connection.execute(_insert_into(table), rows)
            for (table, _), rows in alike.items():
                self.connection.execute(_update_of(table), rows)
        except SQLAlchemyError as error:
            raise BrokenError(error) from error


@dataclass(slots=True)
class Transaction:
    """What a unit works with; ``traceparent`` says in which trace it was asked for, if in one.

    Whoever calls a unit ends it: with ``keep`` or ``drop``. Without ``guards`` there is no
    ``connection`` yet: NeedsGuard is raised for it.
    """

    flight: Flight
    traceparent: str | None = None
    guards: bool = True
    _topics: set[str] = field(default_factory=set)
    _totals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _stored: Counter[str] = field(default_factory=Counter)
    _claimed: set[Hashable] = field(default_factory=set)
    _added: list[tuple[Table, Values]] = field(default_factory=list)
    _changed: list[tuple[Table, Hashable, Values]] = field(default_factory=list)
    _numbers: list[tuple[Key, int]] = field(default_factory=list)
    _put: dict[Hashable, Any] = field(default_factory=dict)
    _savepoint: NestedTransaction | None = None

    @property
    def connection(self) -> Connection:
        """For any statement; all that was added is there, and nothing is remembered any more."""
        connection = self.flight.connection
        if self._savepoint is None:
            if not self.guards:
                for key, number in self._numbers:
                    self.flight.numbers.take_back(key, number)
                raise NeedsGuard
            self.flight.flush()
            self._savepoint = connection.begin_nested()
        added, self._added = self._added, []
        changed, self._changed = self._changed, []
        for table, row in added:
            connection.execute(_insert_into(table), row)
        for table, id_, values in changed:
            connection.execute(_update_of(table), {**values, _ROW: id_})
        self.flight.known.clear()
        self._put.clear()
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
        known = self._put if key in self._put else self.flight.known
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

    def change(self, table: Table, id_: Hashable, values: Values) -> None:
        """Change the row with this ``id`` at the end; the caller has its lock.

        Until then no lookup shows it: see ``put``.
        """
        self._changed.append((table, id_, values))

    def put(self, lookup: Lookup[K, V], key: K, found: V | None) -> None:
        """Let a lookup find this from now on, as it will be written."""
        self._put[lookup, key] = found

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
        key = tenant, collection
        number = self.flight.numbers.next(key)
        self._numbers.append((key, number))
        return number

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
        flight.known.update(self._put)
        for table, row in self._added:
            flight.add(table, row)
        for table, id_, values in self._changed:
            flight.change(table, id_, values)

    def drop(self) -> None:
        """Undo what the unit did. Raises SQLAlchemyError."""
        if self._savepoint is not None:
            self._savepoint.rollback()
            self.flight.known.clear()


@cache
def _insert_into(table: Table) -> Insert:
    """Made once: who is given the same statement again need not look what it is."""
    return table.insert()


@cache
def _update_of(table: Table) -> Update:
    """As there; the columns are those of the parameters."""
    return table.update().where(table.c.id == bindparam(_ROW))


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of this database's dialect."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
