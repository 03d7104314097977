"""What is kept for a while only is removed after it, not before, and never while it is needed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, func, select, text, update

from services.api.db import task_rows
from services.api.db.tables import (
    CATALOGUE,
    audit_log,
    dead_letters,
    doomed_blobs,
    idempotency_keys,
    import_tasks,
    records,
    tenant_storage,
    tombstones,
    totals,
    validation_reports,
)
from services.api.domain.errors import NotFound
from services.api.domain.keeping import Keep
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import Refused, error
from services.api.scrub import Scrub
from services.api.use_cases import retention as module
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.items import Fields
from services.api.use_cases.options import Options
from shared.blobs.local import LocalStore
from tests.support.core import PACKED, Core, a_principal, open_core

if TYPE_CHECKING:
    from pathlib import Path

    from services.api.db.transactions import Transaction
    from services.api.domain.principal import Principal
    from services.api.domain.task import Task

WHO = a_principal()
TASKS = Keep(tasks=timedelta(days=30))
AGES = [
    (idempotency_keys, "created_at", "keys", 1),
    (tombstones, "deleted_at", "tombstones", 7),
    (audit_log, "created_at", "audit", 400),
    (dead_letters, "created_at", "dead_letters", 90),
]


async def _fail(core: Core, task: Task) -> Task:
    run = await core.claim(task.id, Stage.DOWNLOAD, task.generation)
    await core.use_cases.runs.report(task.id, run, Refused(problems=(error("x", "y"),)))
    return await core.use_cases.import_tasks.get(a_principal(task.tenant), task.id)


async def _execute(core: Core, *statements: Any) -> None:
    def unit(transaction: Transaction) -> None:
        for statement in statements:
            transaction.connection.execute(statement)

    await core.use_cases.executor.write(unit)


async def _one_of_each(core: Core, name: str) -> None:
    task = await core.task()
    await core.use_cases.import_tasks.delete(WHO, task.id)
    await core.use_cases.tracks.create(WHO, Fields(title=name), options=Options(key=name))
    await core.use_cases.dead_letters.add("a.subject", b"payload", "reason")


async def _rows(core: Core, table: Any) -> int:
    return await core.use_cases.executor.read(
        lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()
    )


async def _aged(core: Core, table: Any, column: str, by: timedelta) -> None:
    """Make what is there older, ids that begin with the time as well."""
    now = await core.use_cases.executor.write(lambda t: t.now())
    values: dict[str, Any] = {column: now - by}
    await _execute(core, update(table).values(values))
    if table is audit_log:
        await _execute(core, *(_older(id_, by) for id_ in await _ids(core)))


async def _ids(core: Core) -> list[Any]:
    return await core.use_cases.executor.read(lambda c: list(c.scalars(select(audit_log.c.id))))


def _older(id_: Any, by: timedelta) -> Any:
    earlier = UUID(int=id_.int - (int(by.total_seconds() * 1000) << 80))
    return update(audit_log).where(audit_log.c.id == id_).values(id=earlier)


@pytest.mark.parametrize("aged", AGES, ids=lambda aged: aged[2])
async def test_what_is_old_goes_in_batches_and_what_is_young_stays(
    any_core: Core, monkeypatch: pytest.MonkeyPatch, aged: tuple[Any, str, str, int]
) -> None:
    table, column, kind, days = aged
    monkeypatch.setattr(module, "BATCH", 2)
    for number in range(3):
        await _one_of_each(any_core, f"old {number}")
    old = await _rows(any_core, table)
    await _aged(any_core, table, column, timedelta(days=days, seconds=5))
    await _one_of_each(any_core, "young")
    young = await _rows(any_core, table) - old
    assert await any_core.use_cases.retention.prune() == {kind: old}
    assert await _rows(any_core, table) == young > 0
    await _assert_counts_are_exact(any_core)


async def test_nothing_goes_that_is_kept_for_ever(database_url: str) -> None:
    keep = Keep(tasks=None, keys=None, tombstones=None, audit=None, dead_letters=None)
    async with open_core(database_url, keep=keep) as core:
        await _one_of_each(core, "old")
        await _fail(core, await core.task())
        for table, column, _, _ in AGES:
            await _aged(core, table, column, timedelta(days=4000))
        await _aged(core, import_tasks, "updated_at", timedelta(days=4000))
        assert await core.use_cases.retention.prune() == {}


async def _old_tasks(core: Core, who: Principal, first: int) -> dict[str, Task]:
    """A task of each kind, by what becomes of it."""

    async def task(number: int) -> Task:
        return await core.task(f"USRC1{first + number:07d}", who)

    made = {"failed": await _fail(core, await task(0))}
    made["refused"] = await task(1)
    await core.store(made["refused"])
    run = await core.claim(made["refused"].id, Stage.VALIDATE)
    refused = Refused(problems=(error("x", "y"),), report=PACKED)
    await core.use_cases.runs.report(made["refused"].id, run, refused)
    made["pending"] = await task(2)
    made["running"] = await task(3)
    await core.claim(made["running"].id, Stage.DOWNLOAD)
    made["downloaded"] = await task(4)
    await core.store(made["downloaded"])
    made["completed"] = await core.complete(await task(5), PACKED)
    again = await core.complete(await task(6), PACKED)
    fields = TaskFields(source_uri="https://cdn.example.com/new.wav")
    made["failed with a record"] = await _fail(
        core, await core.use_cases.import_tasks.update(who, again.id, fields)
    )
    return made


async def test_only_old_failed_tasks_without_a_valid_record_go(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TASKS", 2)
    other = a_principal("other")
    async with open_core(database_url, keep=TASKS) as core:
        old = await _old_tasks(core, WHO, 0)
        others = await _old_tasks(core, other, 0)
        await _aged(core, import_tasks, "updated_at", timedelta(days=30, seconds=5))
        young = await _fail(core, await core.task("USRC19999999"))
        assert (await core.use_cases.retention.prune())["tasks"] == 4
        for who, tasks in ((WHO, old), (other, others)):
            for kind, task in tasks.items():
                if kind in {"failed", "refused"}:
                    with pytest.raises(NotFound):
                        await core.use_cases.import_tasks.get(who, task.id)
                else:
                    seen = await core.use_cases.import_tasks.get(who, task.id)
                    assert seen.status is task.status or kind in {"running", "downloaded"}
        assert (await core.use_cases.import_tasks.get(WHO, young.id)).id == young.id
        await _assert_counts_are_exact(core)
        await _assert_nothing_dangles(core, {old["completed"].id, others["completed"].id})


async def test_a_task_that_is_started_again_meanwhile_stays(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_core(database_url, keep=TASKS) as core:
        task = await _fail(core, await core.task())
        await _aged(core, import_tasks, "updated_at", timedelta(days=31))
        await core.use_cases.import_tasks.retry(WHO, task.id)
        # As if it had been found before it was started again.
        monkeypatch.setattr(task_rows, "fetch_failed", lambda *_: [task.id])
        assert await core.use_cases.retention.prune() == {}
        seen = await core.use_cases.import_tasks.get(WHO, task.id)
        assert seen.status is Status.PENDING


@pytest.mark.parametrize("keep", [Keep(superseded=timedelta(days=2)), Keep(superseded=None)])
async def test_superseded_bytes_may_be_kept(sqlite_url: str, tmp_path: Path, keep: Keep) -> None:
    store = LocalStore(tmp_path / "blobs")
    async with open_core(sqlite_url, keep=keep) as core:
        scrub = Scrub(core.use_cases.blobs, store, core.signals)
        task = await core.complete(await core.task())
        assert task.master is not None
        with store.create(task.master.blob_key) as sink:
            sink.commit()
        fields = TaskFields(source_uri="https://cdn.example.com/new.wav")
        await core.complete(await core.use_cases.import_tasks.update(WHO, task.id, fields))
        assert await scrub.delete_doomed() == 0
        assert await scrub.sweep(timedelta(0)) == 0
        await core.use_cases.import_tasks.delete(WHO, task.id)
        assert await scrub.delete_doomed() == 2


async def test_superseded_bytes_go_when_their_time_has_come(core: Core, tmp_path: Path) -> None:
    scrub = Scrub(core.use_cases.blobs, LocalStore(tmp_path / "blobs"), core.signals)
    now = await core.use_cases.executor.write(lambda t: t.now())
    later, past = now + timedelta(days=1), now - timedelta(seconds=1)
    rows = [{"blob_key": "t/a/1/b", "doomed_at": later}, {"blob_key": "t/a/1/c", "doomed_at": past}]
    await _execute(core, *(doomed_blobs.insert().values(row) for row in rows))
    assert await scrub.delete_doomed() == 1


async def test_no_large_table_is_read_as_a_whole(database_url: str) -> None:
    said: list[tuple[str, Any]] = []
    async with open_core(database_url, keep=TASKS) as core:
        await _old_tasks(core, WHO, 0)
        await _one_of_each(core, "old")
        again = await core.complete(await core.task("USRC18888888"), PACKED)
        fields = TaskFields(source_uri="https://cdn.example.com/new.wav")
        again = await core.use_cases.import_tasks.update(WHO, again.id, fields)
        await core.complete(again, PACKED)
        for table, column, _, days in AGES:
            await _aged(core, table, column, timedelta(days=days + 1))
        await _aged(core, import_tasks, "updated_at", timedelta(days=31))
        for engine in (core.engines.read, core.engines.write):
            event.listen(
                engine.sync_engine,
                "before_cursor_execute",
                lambda _, __, statement, values, *___: said.append((statement, values)),
            )
        pruned = await core.use_cases.retention.prune()
        assert set(pruned) == {"tasks", "reports", *(kind for _, _, kind, _ in AGES)}
        plans = await core.use_cases.executor.read(lambda c: _plans(c, said[:]))
    large = [import_tasks, records, validation_reports, audit_log, tombstones, idempotency_keys]
    for statement, plan in plans:
        for table in large:
            assert f"Seq Scan on {table.name}" not in plan, (statement, plan)
            whole = [line for line in plan.splitlines() if line.startswith(f"SCAN {table.name}")]
            assert all("INDEX" in line for line in whole), (statement, plan)


def _plans(connection: Connection, said: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        # Small tables are read as a whole unless that is made to look dear.
        connection.execute(text("SET enable_seqscan = off"))
    how = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
    plans = []
    for statement, values in said:
        if statement.startswith(("SELECT", "DELETE", "UPDATE")):
            rows = connection.exec_driver_sql(how + statement, values).all()
            plans.append((statement, "\n".join(str(row[-1]) for row in rows)))
    return plans


async def _assert_counts_are_exact(core: Core) -> None:
    def check(connection: Connection) -> None:
        kept = {
            (row.tenant, row.collection): row.n
            for row in connection.execute(
                select(totals.c.tenant, totals.c.collection, func.sum(totals.c.n).label("n"))
                .where(totals.c.n != 0)
                .group_by(totals.c.tenant, totals.c.collection)
            )
        }
        counted: dict[tuple[str, str], int] = {}
        kinds: list[tuple[str, Any, Any]] = [
            ("import_tasks", import_tasks, text("true")),
            ("tasks.dolby_atmos", import_tasks, text("true")),
            ("records", records, records.c.superseded_at.is_(None)),
            ("audit_log", audit_log, text("true")),
            ("tracks", CATALOGUE["tracks"], text("true")),
        ]
        for name, table, which in kinds:
            query = select(table.c.tenant, func.count()).where(which).group_by(table.c.tenant)
            counted |= {(tenant, name): number for tenant, number in connection.execute(query)}
        assert kept == counted
        stored = select(tenant_storage).where(tenant_storage.c.stored_bytes != 0)
        rows = connection.execute(stored)
        assert {row.tenant: row.stored_bytes for row in rows} == _stored(connection)

    await core.use_cases.executor.read(check)


def _stored(connection: Connection) -> dict[str, int]:
    """What tenants store, added up."""
    found: dict[str, int] = {}
    valid = select(records.c.tenant, records.c.size_bytes).where(records.c.superseded_at.is_(None))
    waiting = select(import_tasks.c.tenant, import_tasks.c.size_bytes).where(
        import_tasks.c.status.in_([Status.DOWNLOADED, Status.VALIDATING])
    )
    for query in (valid, waiting):
        for tenant, size in connection.execute(query):
            found[tenant] = found.get(tenant, 0) + size
    return found


async def _assert_nothing_dangles(core: Core, completed: set[Any]) -> None:
    def check(connection: Connection) -> None:
        tasks = set(connection.scalars(select(import_tasks.c.id)))
        assert set(connection.scalars(select(records.c.task_id))) <= tasks
        reports = set(connection.scalars(select(validation_reports.c.task_id)))
        assert completed <= reports <= tasks
        doomed = set(connection.scalars(select(doomed_blobs.c.blob_key)))
        valid = select(records.c.blob_key).where(records.c.superseded_at.is_(None))
        assert not doomed & set(connection.scalars(valid))

    await core.use_cases.executor.read(check)
