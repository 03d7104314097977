"""The one way to the database: units of work, many to a commit, and autocommit reads.

A unit is a plain function of a transaction: it can await nothing, so nothing but the database can
keep a transaction open. Units that arrive while a transaction is in flight share the next one.
The caller may be cancelled at any time; the unit then still commits or fails as a whole.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.api.db.engine import READERS
from services.api.db.lookups import Gathering, let_others_join
from services.api.db.notifications import tell_replicas
from services.api.db.numbers import BLOCK, LARGE_BLOCK, Numbers, NumbersGone
from services.api.db.tables import tenant_storage, totals
from services.api.db.tracing import current_traceparent
from services.api.db.transactions import (
    Again,
    BrokenError,
    Flight,
    NeedsGuard,
    Transaction,
    Values,
    insert,
)
from services.api.domain.errors import Unavailable
from shared.failpoints import reach

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Coroutine, Hashable, Sequence

    from sqlalchemy import Column, Connection

    from services.api.db.engine import Engines
    from services.api.db.lookups import Ask, Lookup

T = TypeVar("T")
K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

MAX_BATCH = 128
ALONE_TRIES = 3
# PostgreSQL's lock_not_available and query_canceled.
_TIMED_OUT = frozenset({"55P03", "57014"})
# Its deadlock_detected.
_DEADLOCKED = "40P01"
_OURS = (IntegrityError, ProgrammingError, DataError)
_UNREACHABLE = (OSError, PoolTimeout, TimeoutError)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Job(Generic[T]):
    unit: Callable[[Transaction], T]
    asks: Sequence[Ask]
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
        self._gathering = Gathering(self._read)
        self._numbers = Numbers()

    async def write(self, unit: Callable[[Transaction], T], asks: Sequence[Ask] = ()) -> T:
        """Run a unit and answer after its commit.

        What it ``asks`` for is looked up before, together with what others ask for. Raises what the
        unit refuses, and Unavailable when the database cannot be reached or the fate of the commit
        is unknown.
        """
        block = BLOCK
        while True:
            try:
                return await self._write(unit, asks)
            except NumbersGone as gone:
                await self._numbers.fetch(gone.key, block, self._run_alone)
            block = LARGE_BLOCK

    async def _write(self, unit: Callable[[Transaction], T], asks: Sequence[Ask]) -> T:
        job = _new_job(unit, asks)
        self._queue.append(job)
        self._take_off()
        answer: T = await job.answer
        return answer

    async def _run_alone(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit in a transaction of its own."""
        job = _new_job(unit)
        self._launch(self._fly([job]))
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

    async def find(self, lookup: Lookup[K, V], key: K) -> V | None:
        """What a lookup finds by this key, as it was last committed; asked together with others."""
        return await self._gathering.find(lookup, key)

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
                return await self._query(query)
            except (DBAPIError, *_UNREACHABLE) as error:
                raise _refusal(error) from error

    async def _query(self, query: Callable[[Connection], T]) -> T:
        try:
            async with self.engines.read.connect() as connection:
                return await connection.run_sync(query)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # It had gone while nobody used it, and the pool knows now: asking before each query whether
        # its connection is still there would cost as much as the query.
        async with self.engines.read.connect() as connection:
            return await connection.run_sync(query)

    async def close(self) -> None:
        """Finish what was begun, then close every connection."""
        while under_way := self._flights | self._reads | self._gathering.tasks:
            await asyncio.wait(under_way)
        await self.engines.dispose()

    def _take_off(self) -> None:
        if self._queue and len(self._flights) < self.engines.write_concurrency:
            self._launch(self._fly_together())

    def _launch(self, flying: Coroutine[None, None, None]) -> None:
        flight = asyncio.create_task(flying)
        self._flights.add(flight)
        flight.add_done_callback(self._landed)

    async def _fly_together(self) -> None:
        await let_others_join()
        batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
        self._take_off()  # those that have no room in this one
        if batch:
            await self._fly(batch)

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
                flight, again = await connection.run_sync(
                    _fly, batch, self.engines.replica, self._numbers
                )
                await connection.commit()
        except _BrokenBatchError as broken:
            _refuse(batch, broken.cause)
            # Again would be longer than the database has let it wait or work.
            late = _has_timed_out(broken.cause)
            blamed = batch if len(batch) == 1 else [broken.culprit]
            return [job for job in batch if not (late and job in blamed)]
        except (SQLAlchemyError, *_UNREACHABLE) as error:
            # Nothing began, or the fate of the COMMIT is unknown and another run could do things
            # twice: the caller has to ask again.
            _refuse(batch, error)
            if not begun:
                raise _AwayError from error
            return []
        if flight.topics:
            reach("api.committed")
        for topic in flight.topics:
            self._notify(topic)
        return again


class _Undone(Exception):  # noqa: N818 - not an error but the way back
    """Takes a unit's result out of its savepoint."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


class _AwayError(Exception):
    """The database cannot be reached, or another process keeps its write lock."""


class _BrokenBatchError(Exception):
    """One unit ended the transaction of all: each has to run alone."""

    def __init__(self, cause: SQLAlchemyError, culprit: _Job[Any] | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.culprit = culprit


def _new_job(unit: Callable[[Transaction], T], asks: Sequence[Ask] = ()) -> _Job[T]:
    return _Job(unit, asks, asyncio.get_running_loop().create_future(), current_traceparent())


def _fly(
    connection: Connection, batch: list[_Job[Any]], replica: str, numbers: Numbers
) -> tuple[Flight, list[_Job[Any]]]:
    flight = Flight(connection, numbers)
    return flight, _fly_units(flight, batch, replica)


def _fly_units(flight: Flight, batch: list[_Job[Any]], replica: str) -> list[_Job[Any]]:
    """Run the units and write all that they leave; gives the jobs that must run again, alone.

    Raises _BrokenBatchError when none of it may be committed.
    """
    alone, again, later = len(batch) == 1, list[_Job[Any]](), list[_Job[Any]]()
    try:
        flight.prepare(ask for job in batch for ask in job.asks)
        # Those that make statements of their own go last: what they do makes everybody forget.
        for job in batch:
            try:
                if _must_run_again(flight, job, alone=alone, guards=alone):
                    again.append(job)
            except NeedsGuard:
                later.append(job)
        again += [job for job in later if _must_run_again(flight, job, alone=alone, guards=True)]
        flight.flush()
    except BrokenError as broken:
        raise _BrokenBatchError(broken.cause) from broken
    _add_stored(flight.connection, flight.stored)
    _add_totals(flight.connection, flight.totals)
    tell_replicas(flight.connection, replica, flight.topics)
    return again


def _must_run_again(flight: Flight, job: _Job[Any], *, alone: bool, guards: bool) -> bool:
    """Run a unit; raises NeedsGuard, with nothing done, if it may not."""
    transaction = Transaction(flight, job.traceparent, guards)
    try:
        job.result = job.unit(transaction)
        transaction.keep()
    except NeedsGuard:
        raise
    except Again:
        transaction.drop()
        return True
    except BrokenError as broken:
        raise _BrokenBatchError(broken.cause) from broken
    except SQLAlchemyError as error:
        # A full disk ends all of it, not the savepoint. In a deadlock the locks of the units
        # before it are what others wait for: going on would meet a deadlock with each unit.
        if not transaction.has_savepoint or not _is_open(flight.connection):
            raise _BrokenBatchError(error, job) from error
        if not alone and _is_deadlocked(error):
            raise _BrokenBatchError(error) from error
        transaction.drop()
        _refuse([job], error)
        return not _has_timed_out(error)
    except Exception as refusal:  # noqa: BLE001 - whatever a unit raises is its caller's answer
        transaction.drop()
        job.refusal = refusal
    return False


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
    _upsert(
        connection,
        tenant_storage.c.stored_bytes,
        [{"tenant": tenant, "stored_bytes": by} for tenant, by in sorted(stored.items()) if by],
    )


def _add_totals(connection: Connection, counts: Counter[tuple[str, str, str]]) -> None:
    # In key order, and after everything else: no two transactions wait for each other's counts.
    _upsert(
        connection,
        totals.c.n,
        [
            {"tenant": tenant, "collection": collection, "status": status, "n": by}
            for (tenant, collection, status), by in sorted(counts.items())
            if by
        ],
    )


def _upsert(connection: Connection, kept: Column[int], rows: list[Values]) -> None:
    """Add to the kept number of each row, or begin with it."""
    if rows:
        new = insert(connection, kept.table)
        added = {kept.name: kept + new.excluded[kept.name]}
        keys = [column.name for column in kept.table.primary_key]
        connection.execute(new.on_conflict_do_update(index_elements=keys, set_=added), rows)


def _refuse(batch: list[_Job[Any]], error: Exception) -> None:
    refusal = _refusal(error)
    for job in batch:
        job.refusal = refusal


def _refusal(error: Exception) -> Exception:
    # The last is the class of all, alone where the database was not even asked.
    if isinstance(error, _OURS) or type(error) is StatementError:
        return error  # a fault of ours, not of the database
    _log.warning("database_unavailable", error=type(error).__name__)
    return Unavailable()
