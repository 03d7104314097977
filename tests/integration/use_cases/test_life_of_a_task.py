"""The life of a task on a real database, from create to record and back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from services.api.db.tables import doomed_blobs, import_tasks, outbox, totals
from services.api.domain.errors import (
    InUse,
    InvalidFields,
    NotFound,
    RelatedNotFound,
    StateConflict,
)
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.queries import RecordQuery, TaskQuery
from services.api.domain.runs import (
    Accepted,
    Failed,
    Go,
    Later,
    Refused,
    Released,
    Run,
    Stop,
    Stored,
    error,
)
from services.api.domain.task import Master, Target
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import FORMAT, MD5, a_principal

if TYPE_CHECKING:
    from services.api.db.executor import Transaction
    from tests.support.core import Core

WHO = a_principal()


async def _doomed(core: Core) -> set[str]:
    return set(
        await core.use_cases.executor.read(
            lambda c: list(c.scalars(select(doomed_blobs.c.blob_key)))
        )
    )


async def test_a_task_becomes_a_record(any_core: Core) -> None:
    task = await any_core.task()
    assert (task.status, task.generation, task.version) == (Status.PENDING, 1, 1)
    done = await any_core.complete(task)
    assert done.status is Status.COMPLETED
    assert done.due_at is None
    assert done.record_id is not None
    record = await any_core.use_cases.records.get(WHO, done.record_id)
    assert (record.isrc, record.task_id, record.target) == (task.isrc, task.id, task.target)
    assert (record.master.md5, record.master.size_bytes) == (MD5, 1000)
    assert await _doomed(any_core) == set()


async def test_every_change_leaves_its_event_and_the_totals_are_right(any_core: Core) -> None:
    done = await any_core.complete(await any_core.task())
    events = await any_core.use_cases.outbox.take(100)
    assert [event.subject.rsplit(".", 1)[1] for event in events] == [
        "pending", "downloading", "downloaded", "validating", "completed",
    ]  # fmt: skip
    assert len({event.id for event in events}) == 5
    kept = await any_core.use_cases.executor.read(
        lambda c: {(r.collection, r.status): r.n for r in c.execute(select(totals)) if r.n}
    )
    assert kept.pop(("audit_log", "")) == 2
    assert kept == {("import_tasks", "completed"): 1, ("records", "valid"): 1, ("tracks", ""): 1}
    await any_core.use_cases.import_tasks.delete(WHO, done.id)
    kept = await any_core.use_cases.executor.read(
        lambda c: {(r.collection, r.status): r.n for r in c.execute(select(totals)) if r.n}
    )
    assert kept.pop(("audit_log", "")) == 3
    assert kept == {("tracks", ""): 1}


async def test_taken_events_come_back_only_when_they_were_not_sent(any_core: Core) -> None:
    await any_core.task()
    events = await any_core.use_cases.outbox.take(100)
    assert len(events) == 1
    assert await any_core.use_cases.outbox.take(100) == ()
    await any_core.use_cases.outbox.sent([events[0].id])
    rows = await any_core.use_cases.executor.read(lambda c: c.execute(select(outbox)).all())
    assert rows == []


async def test_all_wrong_values_are_told_at_once(any_core: Core) -> None:
    fields = TaskFields(source_uri="http://x.example/a.wav", isrc="short", declared_md5=5)
    with pytest.raises(InvalidFields) as refused:
        await any_core.use_cases.import_tasks.create(
            WHO, fields, required=("source_uri", "isrc", "target")
        )
    assert [(v.field, v.code) for v in refused.value.violations] == [
        ("source_uri", "not_https"),
        ("isrc", "invalid"),
        ("declared_md5", "invalid"),
        ("target", "required"),
    ]


async def test_a_taken_isrc_is_told_beside_the_other_violations(any_core: Core) -> None:
    done = await any_core.complete(await any_core.task())
    fields = TaskFields(source_uri="ftp://x", isrc=done.isrc)
    with pytest.raises(InvalidFields) as refused:
        await any_core.use_cases.import_tasks.create(WHO, fields)
    assert [(v.field, v.code) for v in refused.value.violations] == [
        ("source_uri", "not_https"),
        ("isrc", "taken"),
    ]


async def test_an_unknown_track_is_refused(any_core: Core) -> None:
    fields = TaskFields(target=Target("tracks", uuid7()))
    with pytest.raises(RelatedNotFound):
        await any_core.use_cases.import_tasks.create(WHO, fields)


async def test_another_tenants_track_is_unknown(any_core: Core) -> None:
    track = await any_core.track(a_principal("other"))
    fields = TaskFields(target=Target("tracks", track.id))
    with pytest.raises(RelatedNotFound):
        await any_core.use_cases.import_tasks.create(WHO, fields)


async def test_another_tenants_task_is_not_there(any_core: Core) -> None:
    tasks, other = any_core.use_cases.import_tasks, a_principal("other")
    task = await any_core.task()
    for call in (
        tasks.get(other, task.id),
        tasks.update(other, task.id, TaskFields(isrc="USRC19999999")),
        tasks.retry(other, task.id),
        tasks.delete(other, task.id),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await tasks.list(other, TaskQuery())).total == 0
    assert await tasks.get(WHO, task.id) == task


async def test_one_isrc_may_be_taken_by_another_tenant(any_core: Core) -> None:
    await any_core.complete(await any_core.task())
    other = await any_core.complete(await any_core.task(who=a_principal("other")))
    assert other.status is Status.COMPLETED


async def test_of_racing_tasks_with_one_isrc_one_gets_the_record(any_core: Core) -> None:
    tasks = [await any_core.task() for _ in range(8)]
    for task in tasks:
        await any_core.store(task)
    ended = await asyncio.gather(*(any_core.accept(task) for task in tasks))
    assert sorted(task.status for task in ended) == ["completed"] + ["validation_failed"] * 7
    losers = [task for task in ended if task.status is Status.VALIDATION_FAILED]
    assert {p["code"] for task in losers for p in task.problems} == {"isrc_taken"}
    page = await any_core.use_cases.records.list(WHO, RecordQuery())
    assert page.total == len(page.items) == 1
    assert await _doomed(any_core) == {t.master.blob_key for t in losers if t.master}


async def test_the_isrc_of_a_valid_record_is_refused_at_create(any_core: Core) -> None:
    await any_core.complete(await any_core.task())
    with pytest.raises(InvalidFields) as refused:
        await any_core.task()
    assert [(v.field, v.code) for v in refused.value.violations] == [("isrc", "taken")]


async def test_the_same_run_gets_the_same_answer_and_another_has_to_wait(any_core: Core) -> None:
    runs = any_core.use_cases.runs
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    again = await runs.claim(task.id, run)
    assert isinstance(again, Go)
    assert again.task.attempts == 1
    other = await runs.claim(task.id, Run(Stage.DOWNLOAD, 1, uuid7()))
    assert isinstance(other, Later)
    assert timedelta(0) < other.delay <= runs.limits.lease


async def test_claims_for_what_is_gone_stale_or_final_are_stopped(any_core: Core) -> None:
    runs = any_core.use_cases.runs
    done = await any_core.complete(await any_core.task())
    for task_id, run in (
        (uuid7(), Run(Stage.DOWNLOAD, 1, uuid7())),
        (done.id, Run(Stage.DOWNLOAD, 2, uuid7())),
        (done.id, Run(Stage.VALIDATE, 1, uuid7())),
    ):
        assert isinstance(await runs.claim(task_id, run), Stop)
    assert await any_core.use_cases.import_tasks.get(WHO, done.id) == done


async def test_stale_reports_and_progress_change_nothing(any_core: Core) -> None:
    runs, tasks = any_core.use_cases.runs, any_core.use_cases.import_tasks
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    newer = await tasks.update(
        WHO, task.id, TaskFields(source_uri="https://cdn.example.com/v2.wav")
    )
    assert (newer.generation, newer.status) == (2, Status.PENDING)
    assert not await runs.progress(task.id, run, 1, None)
    assert not await runs.report(task.id, run, Refused(problems=(error("x", "y"),)))
    assert await tasks.get(WHO, task.id) == newer


async def test_what_a_stale_run_stored_is_deleted(any_core: Core) -> None:

    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    await any_core.use_cases.import_tasks.update(WHO, task.id, TaskFields(declared_md5=MD5))
    late = Stored(master=Master(blob_key="default/a/1/b", size_bytes=1, md5=MD5))
    assert not await any_core.use_cases.runs.report(task.id, run, late)
    assert await _doomed(any_core) == {"default/a/1/b"}


async def test_a_repeated_report_does_not_delete_what_it_won(any_core: Core) -> None:

    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    stored = Stored(master=Master(blob_key="default/a/1/b", size_bytes=1000, md5=MD5))
    assert await any_core.use_cases.runs.report(task.id, run, stored)
    assert not await any_core.use_cases.runs.report(task.id, run, stored)
    assert await _doomed(any_core) == set()


async def test_a_failed_attempt_waits_and_the_last_one_fails_the_task(any_core: Core) -> None:
    runs, tasks = any_core.use_cases.runs, any_core.use_cases.import_tasks
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    failed = Failed(problem=error("origin_error", "503"), retry_after=timedelta(hours=1))
    assert await runs.report(task.id, run, failed)
    waiting = await tasks.get(WHO, task.id)
    assert (waiting.status, waiting.attempts) == (Status.DOWNLOADING, 1)
    assert waiting.last_failure is not None
    assert isinstance(await runs.claim(task.id, Run(Stage.DOWNLOAD, 1, uuid7())), Later)


async def test_a_released_claim_gives_its_attempt_back(any_core: Core) -> None:
    runs = any_core.use_cases.runs
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    assert await runs.report(task.id, run, Released(reason="shutdown"))
    next_run = await any_core.claim(task.id, Stage.DOWNLOAD)
    decision = await runs.claim(task.id, next_run)
    assert isinstance(decision, Go)
    assert decision.task.attempts == 1


async def test_bytes_that_changed_in_the_store_are_not_accepted(any_core: Core) -> None:
    task = await any_core.task()
    await any_core.store(task)
    run = await any_core.claim(task.id, Stage.VALIDATE)
    wrong = Accepted(md5="f" * 32, size_bytes=1000, format=FORMAT)
    await any_core.use_cases.runs.report(task.id, run, wrong)
    seen = await any_core.use_cases.import_tasks.get(WHO, task.id)
    assert seen.status is Status.VALIDATING
    assert seen.last_failure is not None
    assert seen.last_failure["code"] == "stored_bytes_differ"


async def test_a_new_source_keeps_the_old_record_until_there_is_a_new_one(any_core: Core) -> None:
    tasks, records = any_core.use_cases.import_tasks, any_core.use_cases.records
    done = await any_core.complete(await any_core.task())
    again = await tasks.update(
        WHO, done.id, TaskFields(source_uri="https://cdn.example.com/v2.wav")
    )
    assert (again.status, again.record_id, again.master) == (Status.PENDING, done.record_id, None)
    assert await _doomed(any_core) == set()
    newer = await any_core.complete(again)
    assert newer.record_id != done.record_id
    assert done.record_id is not None
    old = await records.get(WHO, done.record_id)
    assert old.superseded_at is not None
    assert await _doomed(any_core) == {old.master.blob_key}
    assert (await records.list(WHO, RecordQuery())).total == 1


async def test_a_new_isrc_of_a_completed_task_replaces_its_record_at_once(any_core: Core) -> None:
    tasks, records = any_core.use_cases.import_tasks, any_core.use_cases.records
    done = await any_core.complete(await any_core.task())
    changed = await tasks.update(WHO, done.id, TaskFields(isrc="USRC10000000"))
    assert changed.status is Status.COMPLETED
    assert changed.generation == done.generation
    page = await records.list(WHO, RecordQuery())
    assert [record.isrc for record in page.items] == ["USRC10000000"]
    assert page.total == 1
    assert await _doomed(any_core) == set()


async def test_a_completed_task_cannot_take_the_isrc_of_another(any_core: Core) -> None:
    first = await any_core.complete(await any_core.task())
    second = await any_core.complete(await any_core.task("USRC10000000"))
    with pytest.raises(InvalidFields) as refused:
        await any_core.use_cases.import_tasks.update(WHO, second.id, TaskFields(isrc=first.isrc))
    assert refused.value.violations[0].code == "taken"
    assert await any_core.use_cases.import_tasks.get(WHO, second.id) == second


async def test_a_change_to_the_same_values_is_no_change(any_core: Core) -> None:
    task = await any_core.task()
    same = TaskFields(source_uri=task.source_uri, isrc=task.isrc, declared_md5=None)
    assert await any_core.use_cases.import_tasks.update(WHO, task.id, same) == task


async def test_deleting_frees_the_isrc_and_the_bytes(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    done = await any_core.complete(await any_core.task())
    await tasks.delete(WHO, done.id)
    with pytest.raises(NotFound):
        await tasks.get(WHO, done.id)
    assert done.master is not None
    assert await _doomed(any_core) == {done.master.blob_key}
    again = await any_core.complete(await any_core.task())
    assert again.status is Status.COMPLETED


async def test_only_a_failed_task_is_retried(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    task = await any_core.task()
    with pytest.raises(StateConflict):
        await tasks.retry(WHO, task.id)
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    await any_core.use_cases.runs.report(task.id, run, Refused(problems=(error("x", "y"),)))
    again = await tasks.retry(WHO, task.id)
    assert (again.status, again.generation, again.problems) == (Status.PENDING, 2, ())


async def test_refused_bytes_are_deleted_but_their_checksum_stays(any_core: Core) -> None:
    task = await any_core.task()
    key = await any_core.store(task)
    run = await any_core.claim(task.id, Stage.VALIDATE)
    await any_core.use_cases.runs.report(task.id, run, Refused(problems=(error("x", "y"),)))
    seen = await any_core.use_cases.import_tasks.get(WHO, task.id)
    assert seen.status is Status.VALIDATION_FAILED
    assert seen.master is not None
    assert seen.master.md5 == MD5
    assert await _doomed(any_core) == {key}


async def test_a_track_in_use_stays(any_core: Core) -> None:
    task = await any_core.task()
    assert task.target is not None
    with pytest.raises(InUse):
        await any_core.use_cases.tracks.delete(WHO, task.target.id)
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    await any_core.use_cases.tracks.delete(WHO, task.target.id)
    with pytest.raises(NotFound):
        await any_core.use_cases.tracks.get(WHO, task.target.id)


async def test_due_rows_are_moved_on_once_published_but_not_over_a_claim(any_core: Core) -> None:
    dispatch = any_core.use_cases.dispatch
    task = await any_core.task()
    due = await dispatch.due(10)
    assert [(d.task_id, d.stage, d.generation) for d in due] == [(task.id, Stage.DOWNLOAD, 1)]
    await dispatch.published(due)
    assert await dispatch.due(10) == ()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    before = await any_core.use_cases.import_tasks.get(WHO, task.id)
    await dispatch.published(due)
    assert await any_core.use_cases.import_tasks.get(WHO, task.id) == before
    assert run.id == (before.claim and before.claim.run_id)


async def test_a_late_sign_of_life_outruns_the_dispatcher(any_core: Core) -> None:
    dispatch, runs = any_core.use_cases.dispatch, any_core.use_cases.runs
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)

    def end_lease(transaction: Transaction) -> None:
        past = transaction.now() - timedelta(seconds=1)
        values = {"lease_until": past, "due_at": past}
        transaction.connection.execute(update(import_tasks).values(**values))

    await any_core.use_cases.executor.write(end_lease)
    trusting = replace(dispatch, trust_silence_from=datetime.now(UTC))
    due = await trusting.due(10)
    assert [d.task_id for d in due] == [task.id]
    assert await runs.progress(task.id, run, 1, None)
    renewed = await any_core.use_cases.import_tasks.get(WHO, task.id)
    await trusting.published(due)
    assert await any_core.use_cases.import_tasks.get(WHO, task.id) == renewed


async def test_lists_filter_page_and_count_exactly(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    made = [await any_core.task(f"USRC1{n:07d}") for n in range(7)]
    await any_core.complete(made[3])
    page = await tasks.list(WHO, TaskQuery(skip=2, limit=3))
    assert ([task.id for task in page.items], page.total) == ([t.id for t in made[2:5]], 7)
    page = await tasks.list(WHO, TaskQuery(after=(made[4].id,)))
    assert [task.id for task in page.items] == [t.id for t in made[5:]]
    page = await tasks.list(WHO, TaskQuery(statuses=frozenset({Status.COMPLETED})))
    assert ([task.id for task in page.items], page.total) == ([made[3].id], 1)
    target = made[1].target
    assert target is not None
    page = await tasks.list(WHO, TaskQuery(target_ids=frozenset({target.id})))
    assert ([task.id for task in page.items], page.total) == ([made[1].id], 1)
    page = await tasks.list(
        WHO,
        TaskQuery(ids=frozenset({made[0].id, made[3].id}), statuses=frozenset({Status.PENDING})),
    )
    assert ([task.id for task in page.items], page.total) == ([made[0].id], 1)


async def test_watch_shows_each_state_it_sees_and_ends_with_the_task(any_core: Core) -> None:
    task = await any_core.task()
    seen: list[Status] = []
    started = asyncio.Event()

    async def watch() -> None:
        async for state in any_core.use_cases.watching.watch(WHO, task.id):
            seen.append(state.status)
            started.set()

    watching = asyncio.create_task(watch())
    await started.wait()
    await any_core.complete(task)
    await asyncio.wait_for(watching, 5)
    assert seen[0] is Status.PENDING
    assert seen[-1] is Status.COMPLETED


async def test_watch_ends_with_not_found_when_the_task_is_deleted(any_core: Core) -> None:
    task = await any_core.task()
    watch = any_core.use_cases.watching.watch(WHO, task.id)
    assert (await anext(watch)).id == task.id
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    with pytest.raises(NotFound):
        await anext(watch)
