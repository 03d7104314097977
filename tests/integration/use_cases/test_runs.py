"""Claims, progress and reports on a real database, and when rows are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update
from uuid_utils.compat import uuid7

from services.api.db.tables import import_tasks
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import (
    Accepted,
    Failed,
    Go,
    Later,
    Refused,
    Released,
    Run,
    Stop,
    error,
)
from services.api.domain.silence import Silence
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import FORMAT, a_principal

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core

WHO = a_principal()


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
    trusting = replace(dispatch, silence=Silence.proves_after(timedelta(0)))
    due = await trusting.due(10)
    assert [d.task_id for d in due] == [task.id]
    assert await runs.progress(task.id, run, 1, None)
    renewed = await any_core.use_cases.import_tasks.get(WHO, task.id)
    await trusting.published(due)
    assert await any_core.use_cases.import_tasks.get(WHO, task.id) == renewed


async def test_a_stale_run_cannot_give_a_task_up(any_core: Core) -> None:
    task = await any_core.task()
    await any_core.claim(task.id, Stage.DOWNLOAD)
    before = await any_core.use_cases.import_tasks.get(WHO, task.id)
    await any_core.use_cases.runs.give_up(task.id, Run(Stage.DOWNLOAD, 1, uuid7()))
    assert await any_core.use_cases.import_tasks.get(WHO, task.id) == before


async def test_silence_from_before_the_start_makes_nothing_due(any_core: Core) -> None:
    task = await any_core.task()
    await any_core.claim(task.id, Stage.DOWNLOAD)

    def end_lease(transaction: Transaction) -> None:
        past = transaction.now() - timedelta(seconds=1)
        values = {"lease_until": past, "due_at": past}
        transaction.connection.execute(update(import_tasks).values(**values))

    await any_core.use_cases.executor.write(end_lease)
    assert await any_core.use_cases.dispatch.due(10) == ()
    waiting = await any_core.task("USRC10000000")
    assert [due.task_id for due in await any_core.use_cases.dispatch.due(10)] == [waiting.id]


async def test_a_command_that_nobody_takes_is_sent_less_and_less_often(any_core: Core) -> None:
    dispatch = any_core.use_cases.dispatch
    task = await any_core.task()
    [due] = await dispatch.due(10)
    waits = []
    for _ in range(3):
        await dispatch.published([due])
        now = await any_core.use_cases.import_tasks.get(WHO, task.id)
        assert now.due_at is not None
        waits.append(now.due_at - datetime.now(UTC))
        due = replace(due, due_at=now.due_at, published=now.published)
    assert now.published == 3
    assert waits[0] * 1.5 < waits[1] < waits[2] / 1.5
