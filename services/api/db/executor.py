"""The one way to the database: units of work, many to a commit, and autocommit reads.

A unit is a plain function of a transaction: it can await nothing, so nothing but the database can
keep a transaction open. Units that arrive while a transaction is in flight share the next one.
The caller may be cancelled at any time; the unit then still commits or fails as a whole.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.api.db import clock
from services.api.db.engine import READERS
from services.api.db.notifications import tell_replicas
from services.api.db.numbers import BLOCK, LARGE_BLOCK, Numbers, NumbersGone
from services.api.db.tables import tenant_storage, totals
from services.api.db.tracing import current_traceparent
from services.api.domain.errors import Unavailable
from shared.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from services.api.db.engine import Engines

T = TypeVar("T")

MAX_BATCH = 128
ALONE_TRIES = 3
# PostgreSQL's lock_not_available and query_canceled.
_TIMED_OUT = frozenset({"55P03", "57014"})
# Its deadlock_detected.
_DEADLOCKED = "40P01"
_UNREACHABLE = (OSError, PoolTimeout, TimeoutError)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Transaction:
    """What a unit works with.

    ``notify`` collects topics to signal after the commit, ``totals`` the changes of kept counts,
    ``stored`` those of the bytes that tenants store; ``stored_before`` has those of earlier units.
    ``traceparent`` says in which trace the unit was asked for, None if in none.
    """

    connection: Connection
    traceparent: str | None = None
    stored_before: Counter[str] = field(default_factory=Counter)
    topics: set[str] = field(default_factory=set)
    totals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    numbers: Numbers = field(default_factory=Numbers)

    def now(self) -> datetime:
        """The wall clock of the database, not the start of the transaction."""
        return clock.now(self.connection)

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that knows ON CONFLICT."""
        return _insert(self.connection, table)

    def notify(self, topic: str) -> None:
        """Signal the topic once the transaction has committed."""
        self.topics.add(topic)

    def count(self, tenant: str, collection: str, status: str, by: int) -> None:
        """Change the kept count of a collection."""
        self.totals[tenant, collection, status] += by

    def number(self, tenant: str, collection: str) -> int:
        """A number for something new; the executor runs the unit again if it must fetch some."""
        return self.numbers.next((tenant, collection))

    def store(self, tenant: str, by: int) -> None:
        """Change the kept count of the bytes that a tenant stores."""
        self.stored[tenant] += by


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


@dataclass(slots=True)
class _Job(Generic[T]):
    unit: Callable[[Transaction], T]
    answer: asyncio.Future[T]
    # That of who asks: the flight runs in the context of whoever started it.
    traceparent: str | None
    result: T | None = None
    refusal: Exception | None = None

    def settle(self) -> None:
        if self.answer.done():
            return  # the caller has gone; what was committed stays
        if self.refusal is not None:
            self.answer.set_exception(self.refusal)
        else:
            self.answer.set_result(self.result)  # type: ignore[arg-type] # None is a T where a unit gives None


class Executor:
    """Runs units of work and reads."""

    def __init__(self, engines: Engines, notify: Callable[[str], None]) -> None:
        """Take the engines and whom to tell of commits."""
        self.engines = engines
        self._notify = notify
        self._queue: list[_Job[Any]] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._reads: set[asyncio.Task[Any]] = set()
        self._readers = asyncio.Semaphore(READERS)
        self._numbers = Numbers()

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit and answer after its commit.

        Raises what the unit refuses, and Unavailable when the database cannot be reached or the
        fate of the commit is unknown.
        """
        block = BLOCK
        while True:
            try:
                return await self._write(unit)
            except NumbersGone as gone:
                await self._numbers.fetch(gone.key, block, self._run_alone)
            block = LARGE_BLOCK

    async def _write(self, unit: Callable[[Transaction], T]) -> T:
        job = _new_job(unit)
        self._queue.append(job)
        self._take_off()
        answer: T = await job.answer
        return answer

    async def _run_alone(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit in a transaction of its own."""
        job = _new_job(unit)
        self._launch([job])
        answer: T = await job.answer
        return answer

    async def try_out(self, unit: Callable[[Transaction], T]) -> T:
        """Answer what a unit would, and change nothing. Raises as ``write``."""

        def undone(transaction: Transaction) -> T:
            raise _Undone(unit(transaction))

        try:
            return await self.write(undone)
        except _Undone as undone_:
            result: T = undone_.result
            return result

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query outside any transaction; to its end, even if the caller goes away."""
        reading = asyncio.create_task(self._read(query))
        self._reads.add(reading)
        reading.add_done_callback(self._has_read)
        return await asyncio.shield(reading)

    def _has_read(self, reading: asyncio.Task[Any]) -> None:
        self._reads.discard(reading)
        if not reading.cancelled():
            reading.exception()  # whoever asked has it, or has gone

    async def _read(self, query: Callable[[Connection], T]) -> T:
        async with self._readers:
            try:
                async with self.engines.read.connect() as connection:
                    return await connection.run_sync(query)
            except (DBAPIError, *_UNREACHABLE) as error:
                raise _refusal(error) from error

    async def close(self) -> None:
        """Finish what was begun, then close every connection."""
        while self._flights or self._reads:
            await asyncio.wait(self._flights | self._reads)
        await self.engines.dispose()

    def _take_off(self) -> None:
        while self._queue and len(self._flights) < self.engines.write_concurrency:
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            self._launch(batch)

    def _launch(self, batch: list[_Job[Any]]) -> None:
        flight = asyncio.create_task(self._fly(batch))
        self._flights.add(flight)
        flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._take_off()

    async def _fly(self, batch: list[_Job[Any]]) -> None:
        try:
            for job in await self._attempt(batch):
                await self._fly_alone(job)
        except _AwayError:
            pass  # all are refused by now: each waiting in turn would keep them for very long
        except Exception as fault:  # noqa: BLE001 - nobody may wait for ever for an answer
            for job in batch:
                job.refusal = fault
        for job in batch:
            job.settle()

    async def _fly_alone(self, job: _Job[Any]) -> None:
        for _ in range(ALONE_TRIES):
            job.refusal = None
            if not await self._attempt([job]):
                return

    async def _attempt(self, batch: list[_Job[Any]]) -> list[_Job[Any]]:
        """Run a batch in one transaction; give back the jobs that deserve a run of their own.

        Raises _AwayError, all refused, when no transaction could begin.
        """
        begun = False
        try:
            async with self.engines.write.connect() as connection:
                await connection.begin()
                begun = True
                flown = await connection.run_sync(
                    _fly_units, batch, self.engines.replica, self._numbers
                )
                await connection.commit()
        except _BrokenBatchError as broken:
            _refuse(batch, broken.cause)
            return batch
        except (SQLAlchemyError, *_UNREACHABLE) as error:
            # Nothing began, or the fate of the COMMIT is unknown and another run could do things
            # twice: the caller has to ask again.
            _refuse(batch, error)
            if not begun:
                raise _AwayError from error
            return []
        if flown.topics:
            reach("api.committed")
        for topic in flown.topics:
            self._notify(topic)
        return flown.again


class _Undone(Exception):  # noqa: N818 - not an error but the way back
    """Takes a unit's result out of its savepoint."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


class _AwayError(Exception):
    """The database cannot be reached, or another process keeps its write lock."""


class _BrokenBatchError(Exception):
    """One unit ended the transaction of all: each has to run alone."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(slots=True)
class _Flown:
    topics: set[str]
    again: list[_Job[Any]]


def _new_job(unit: Callable[[Transaction], T]) -> _Job[T]:
    return _Job(unit, asyncio.get_running_loop().create_future(), current_traceparent())


def _fly_units(
    connection: Connection, batch: list[_Job[Any]], replica: str, numbers: Numbers
) -> _Flown:
    topics: set[str] = set()
    counts: Counter[tuple[str, str, str]] = Counter()
    stored: Counter[str] = Counter()
    again: list[_Job[Any]] = []
    for job in batch:
        transaction = Transaction(connection, job.traceparent, stored, numbers=numbers)
        try:
            with connection.begin_nested():
                job.result = job.unit(transaction)
        except SQLAlchemyError as error:
            # A full disk ends all of it, not the savepoint. In a deadlock the locks of the units
            # before it are what others wait for: going on would meet a deadlock with each unit.
            if not _is_open(connection) or (len(batch) > 1 and _is_deadlocked(error)):
                raise _BrokenBatchError(error) from error
            _refuse([job], error)
            if not _has_timed_out(error):
                again.append(job)
        except Exception as refusal:  # noqa: BLE001 - whatever a unit raises is its caller's answer
            job.refusal = refusal
        else:
            topics |= transaction.topics
            counts.update(transaction.totals)
            stored.update(transaction.stored)
    _add_stored(connection, stored)
    _add_totals(connection, counts)
    tell_replicas(connection, replica, topics)
    return _Flown(topics, again)


def _is_open(connection: Connection) -> bool:
    if connection.invalidated:
        return False
    driver: Any = connection.connection.driver_connection
    return connection.dialect.name != "sqlite" or bool(driver.in_transaction)


def _has_timed_out(error: SQLAlchemyError) -> bool:
    """Whether the database has let it wait or work for as long as it may; again would be longer."""
    return _sqlstate(error) in _TIMED_OUT


def _is_deadlocked(error: SQLAlchemyError) -> bool:
    return _sqlstate(error) == _DEADLOCKED


def _sqlstate(error: SQLAlchemyError) -> str | None:
    """The SQLSTATE that PostgreSQL told, None from SQLite."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def _add_stored(connection: Connection, stored: Counter[str]) -> None:
    # In key order, and after all units: one that waits for a task while an earlier one keeps its
    # tenant's row would wait for whoever has the task and waits for the row.
    for tenant, by in sorted(stored.items()):
        if by:
            new = _insert(connection, tenant_storage).values(tenant=tenant, stored_bytes=by)
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=["tenant"],
                    set_={
                        "stored_bytes": tenant_storage.c.stored_bytes + new.excluded.stored_bytes
                    },
                )
            )


def _add_totals(connection: Connection, counts: Counter[tuple[str, str, str]]) -> None:
    # In key order, and after everything else: no two transactions wait for each other's counts.
    for (tenant, collection, status), by in sorted(counts.items()):
        if by:
            new = _insert(connection, totals).values(
                tenant=tenant, collection=collection, status=status, n=by
            )
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=["tenant", "collection", "status"],
                    set_={"n": totals.c.n + new.excluded.n},
                )
            )


def _refuse(batch: list[_Job[Any]], error: Exception) -> None:
    refusal = _refusal(error)
    for job in batch:
        job.refusal = refusal


def _refusal(error: Exception) -> Exception:
    if isinstance(error, (IntegrityError, ProgrammingError, DataError)):
        return error  # a fault of ours, not of the database
    _log.warning("database_unavailable", error=type(error).__name__)
    return Unavailable()
