"""What a change, a retry and a delete do to a task and its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from uuid_utils.compat import uuid7

from services.api.domain.errors import (
    InUse,
    InvalidFields,
    NotFound,
    RelatedNotFound,
    StateConflict,
)
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import (
    Refused,
    error,
)
from services.api.domain.queries import RecordQuery, Slice
from services.api.domain.task import Target
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import a_principal

if TYPE_CHECKING:
    from tests.integration.use_cases.conftest import Doomed
    from tests.support.core import Core

WHO = a_principal()


async def test_a_new_isrc_of_a_completed_task_replaces_its_record_at_once(
    any_core: Core, doomed: Doomed
) -> None:
    tasks, records = any_core.use_cases.import_tasks, any_core.use_cases.records
    done = await any_core.complete(await any_core.task())
    changed = await tasks.update(WHO, done.id, TaskFields(isrc="USRC10000000"))
    assert changed.status is Status.COMPLETED
    assert changed.generation == done.generation
    page = await records.list(WHO, RecordQuery())
    assert [record.isrc for record in page.items] == ["USRC10000000"]
    assert page.total == 1
    assert await doomed() == set()


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


async def test_deleting_frees_the_isrc_and_the_bytes(any_core: Core, doomed: Doomed) -> None:
    tasks = any_core.use_cases.import_tasks
    done = await any_core.complete(await any_core.task())
    await tasks.delete(WHO, done.id)
    with pytest.raises(NotFound):
        await tasks.get(WHO, done.id)
    assert done.master is not None
    assert await doomed() == {done.master.blob_key}
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


async def test_a_track_in_use_stays(any_core: Core) -> None:
    task = await any_core.task()
    assert task.target is not None
    with pytest.raises(InUse):
        await any_core.use_cases.tracks.delete(WHO, task.target.id)
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    await any_core.use_cases.tracks.delete(WHO, task.target.id)
    with pytest.raises(NotFound):
        await any_core.use_cases.tracks.get(WHO, task.target.id)


async def test_what_changes_nothing_is_not_in_the_audit_log(any_core: Core) -> None:
    task = await any_core.task()
    before = (await any_core.use_cases.audit.list(WHO, Slice())).total
    await any_core.use_cases.import_tasks.update(WHO, task.id, TaskFields(isrc=task.isrc))
    assert (await any_core.use_cases.audit.list(WHO, Slice())).total == before


async def test_a_task_cannot_be_moved_to_an_unknown_track(any_core: Core) -> None:
    task = await any_core.task()
    nowhere = TaskFields(target=Target("tracks", uuid7()))
    with pytest.raises(RelatedNotFound):
        await any_core.use_cases.import_tasks.update(WHO, task.id, nowhere)
    assert await any_core.use_cases.import_tasks.get(WHO, task.id) == task


async def test_who_lost_the_isrc_may_still_change_the_rest(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    loser = await any_core.task()
    await any_core.complete(await any_core.task())
    await any_core.complete(loser)
    fields = TaskFields(isrc=loser.isrc, source_uri="https://cdn.example.com/v2.wav")
    again = await tasks.update(WHO, loser.id, fields)
    assert (again.status, again.generation) == (Status.PENDING, 2)


async def test_a_task_may_take_back_the_isrc_of_its_own_record(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    done = await any_core.complete(await any_core.task())
    fields = TaskFields(isrc="USRC10000000", source_uri="https://cdn.example.com/v2.wav")
    await tasks.update(WHO, done.id, fields)
    back = await tasks.update(WHO, done.id, TaskFields(isrc=done.isrc))
    assert back.isrc == done.isrc


async def test_who_loses_the_isrc_keeps_the_record_from_before(any_core: Core) -> None:
    tasks, records = any_core.use_cases.import_tasks, any_core.use_cases.records
    done = await any_core.complete(await any_core.task())
    fields = TaskFields(isrc="USRC10000000", source_uri="https://cdn.example.com/v2.wav")
    again = await tasks.update(WHO, done.id, fields)
    await any_core.complete(await any_core.task("USRC10000000"))
    lost = await any_core.complete(again)
    assert [problem["code"] for problem in lost.problems] == ["isrc_taken"]
    assert done.record_id is not None
    assert (await records.get(WHO, done.record_id)).superseded_at is None
    assert (await records.list(WHO, RecordQuery())).total == 2


async def test_a_track_of_a_record_stays_though_its_task_has_another(any_core: Core) -> None:
    done = await any_core.complete(await any_core.task())
    other = await any_core.track()
    fields = TaskFields(
        target=Target("tracks", other.id), source_uri="https://cdn.example.com/v2.wav"
    )
    await any_core.use_cases.import_tasks.update(WHO, done.id, fields)
    assert done.target is not None
    with pytest.raises(InUse):
        await any_core.use_cases.tracks.delete(WHO, done.target.id)
