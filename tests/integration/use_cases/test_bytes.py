"""Which bytes are written down for deletion, and which are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import (
    Accepted,
    Refused,
    Stored,
    error,
)
from services.api.domain.queries import RecordQuery
from services.api.domain.task import Master
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import FORMAT, MD5, a_principal

if TYPE_CHECKING:
    from services.api.domain.runs import Run
    from services.api.domain.task import Task
    from tests.integration.use_cases.conftest import Doomed
    from tests.support.core import Core

WHO = a_principal()


async def test_what_a_stale_run_stored_is_deleted(any_core: Core, doomed: Doomed) -> None:
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    await any_core.use_cases.import_tasks.update(WHO, task.id, TaskFields(declared_md5=MD5))
    late = Stored(master=Master(blob_key="default/a/1/b", size_bytes=1, md5=MD5))
    assert not await any_core.use_cases.runs.report(task.id, run, late)
    assert await doomed() == {"default/a/1/b"}


async def test_a_repeated_report_does_not_delete_what_it_won(
    any_core: Core, doomed: Doomed
) -> None:
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    stored = Stored(master=Master(blob_key="default/a/1/b", size_bytes=1000, md5=MD5))
    assert await any_core.use_cases.runs.report(task.id, run, stored)
    assert not await any_core.use_cases.runs.report(task.id, run, stored)
    assert await doomed() == set()


async def test_refused_bytes_are_deleted_but_their_checksum_stays(
    any_core: Core, doomed: Doomed
) -> None:
    task = await any_core.task()
    key = await any_core.store(task)
    run = await any_core.claim(task.id, Stage.VALIDATE)
    await any_core.use_cases.runs.report(task.id, run, Refused(problems=(error("x", "y"),)))
    seen = await any_core.use_cases.import_tasks.get(WHO, task.id)
    assert seen.status is Status.VALIDATION_FAILED
    assert seen.master is not None
    assert seen.master.md5 == MD5
    assert await doomed() == {key}


CONVERTED = Master(blob_key="default/a/1/vtt", size_bytes=7, md5="f" * 32)


async def _converted(core: Core, task: Task) -> tuple[Run, Accepted]:
    """A run that has told of other bytes than those that it read, and what it told."""
    await core.store(task)
    run = await core.claim(task.id, Stage.VALIDATE)
    told = Accepted(md5=MD5, size_bytes=1000, format=FORMAT, converted=CONVERTED)
    return run, told


async def test_converted_bytes_are_the_record_s(any_core: Core, doomed: Doomed) -> None:
    task = await any_core.task()
    run, told = await _converted(any_core, task)
    assert await any_core.use_cases.runs.report(task.id, run, told)
    assert not await any_core.use_cases.runs.report(task.id, run, told)
    done = await any_core.use_cases.import_tasks.get(WHO, task.id)
    assert done.record_id is not None
    assert done.master is not None
    record = await any_core.use_cases.records.get(WHO, done.record_id)
    assert (record.master, done.master.md5) == (CONVERTED, MD5)
    assert await doomed() == set()
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    assert await doomed() == {CONVERTED.blob_key, done.master.blob_key}


async def test_converted_bytes_of_a_stale_run_are_deleted(any_core: Core, doomed: Doomed) -> None:
    task = await any_core.task()
    run, told = await _converted(any_core, task)
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    assert not await any_core.use_cases.runs.report(task.id, run, told)
    assert CONVERTED.blob_key in await doomed()


async def test_converted_bytes_without_a_record_are_deleted(any_core: Core, doomed: Doomed) -> None:
    first, second = [await any_core.task() for _ in range(2)]
    run, told = await _converted(any_core, second)
    await any_core.complete(first)
    assert await any_core.use_cases.runs.report(second.id, run, told)
    lost = await any_core.use_cases.import_tasks.get(WHO, second.id)
    assert lost.status is Status.VALIDATION_FAILED
    assert CONVERTED.blob_key in await doomed()


async def test_a_new_source_keeps_the_old_record_until_there_is_a_new_one(
    any_core: Core, doomed: Doomed
) -> None:
    tasks, records = any_core.use_cases.import_tasks, any_core.use_cases.records
    done = await any_core.complete(await any_core.task())
    again = await tasks.update(
        WHO, done.id, TaskFields(source_uri="https://cdn.example.com/v2.wav")
    )
    assert (again.status, again.record_id, again.master) == (Status.PENDING, done.record_id, None)
    assert await doomed() == set()
    newer = await any_core.complete(again)
    assert newer.record_id != done.record_id
    assert done.record_id is not None
    old = await records.get(WHO, done.record_id)
    assert old.superseded_at is not None
    assert await doomed() == {old.master.blob_key}
    assert (await records.list(WHO, RecordQuery())).total == 1


async def test_deleting_a_task_deletes_what_only_it_names(any_core: Core, doomed: Doomed) -> None:
    task = await any_core.task()
    key = await any_core.store(task)
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    assert await doomed() == {key}


async def test_deleting_a_task_deletes_what_its_record_names(
    any_core: Core, doomed: Doomed
) -> None:
    tasks = any_core.use_cases.import_tasks
    done = await any_core.complete(await any_core.task())
    await tasks.update(WHO, done.id, TaskFields(declared_md5=MD5))
    await tasks.delete(WHO, done.id)
    assert done.master is not None
    assert await doomed() == {done.master.blob_key}
