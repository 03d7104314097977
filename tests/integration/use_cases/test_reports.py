"""Validation reports: written with the outcome, gone with what needed them."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, select

from services.api.db import report_rows
from services.api.db.tables import validation_reports
from services.api.domain.errors import NotFound
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import error
from services.api.domain.runs import Accepted, Go, Refused, Run
from services.api.domain.task import Target
from services.api.reports import to_domain
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.items import Fields
from services.api.use_cases.reports import MAX_JSON_BYTES, BrokenReport, unpack
from services.api.use_cases.settings import SettingsFields
from shared.problems import Format
from shared.stage import job
from tests.support.core import MD5, PACKED, Core, a_principal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.api.domain.task import Task

WHO = a_principal()
ERROR = error("x", "An error.")


async def kept(core: Core) -> int:
    count = select(func.count()).select_from(validation_reports)
    return await core.use_cases.executor.read(lambda c: c.execute(count).scalar_one())


async def refuse(core: Core, task: Task, stage: Stage, report: bytes) -> Task:
    run = await core.claim(task.id, stage, task.generation)
    refused = Refused(problems=(ERROR,), report=report)
    assert await core.use_cases.runs.report(task.id, run, refused)
    return await core.use_cases.import_tasks.get(WHO, task.id)


async def test_a_refused_master_has_its_report_too(any_core: Core) -> None:
    task = await any_core.task()
    await any_core.store(task)
    task = await refuse(any_core, task, Stage.VALIDATE, PACKED)
    assert (task.status, task.has_report) == (Status.VALIDATION_FAILED, True)
    assert not await any_core.use_cases.retention.prune()
    assert await any_core.use_cases.reports.of_task(WHO, task.id) == gzip.decompress(PACKED)


async def test_the_second_refusal_s_report_takes_the_place_of_the_first(any_core: Core) -> None:
    cases = any_core.use_cases
    task = await any_core.task()
    await any_core.store(task)
    await refuse(any_core, task, Stage.VALIDATE, PACKED)
    again = await cases.import_tasks.retry(WHO, task.id)
    await any_core.store(again)
    await refuse(any_core, again, Stage.VALIDATE, PACKED)
    assert await kept(any_core) == 2
    assert (await cases.retention.prune()).total() == 1
    assert await kept(any_core) == 1
    assert await cases.reports.of_task(WHO, task.id) == gzip.decompress(PACKED)


async def test_a_refusal_without_a_report_leaves_none(core: Core) -> None:
    task = await core.task()
    await core.store(task)
    task = await refuse(core, task, Stage.VALIDATE, b"")
    assert (task.has_report, await kept(core)) == (False, 0)


async def test_a_report_is_its_tenant_s(core: Core) -> None:
    task = await core.complete(await core.task(), PACKED)
    for tenant, found in ((task.tenant, PACKED), ("other", None)):
        body = await core.use_cases.executor.read(
            lambda c, t=tenant: report_rows.find(c, t, (task.id, 1))  # type: ignore[misc] # bound
        )
        assert body == found


async def test_a_download_has_no_validation_report(core: Core) -> None:
    task = await refuse(core, await core.task(), Stage.DOWNLOAD, PACKED)
    assert (task.has_report, await kept(core)) == (False, 0)


async def test_a_stale_run_leaves_no_report(core: Core) -> None:
    task = await core.task()
    await core.store(task)
    run = await core.claim(task.id, Stage.VALIDATE)
    stale = replace(run, id=task.id)
    refused = Refused(problems=(ERROR,), report=PACKED)
    assert not await core.use_cases.runs.report(task.id, stale, refused)
    assert await kept(core) == 0


async def test_bytes_that_differ_leave_no_report(core: Core) -> None:
    task = await core.task()
    await core.store(task)
    run = await core.claim(task.id, Stage.VALIDATE)
    other = Accepted(md5=MD5, size_bytes=1, format={}, report=PACKED)
    assert await core.use_cases.runs.report(task.id, run, other)
    assert await kept(core) == 0


async def test_a_report_goes_with_its_task(any_core: Core) -> None:
    task = await any_core.complete(await any_core.task(), PACKED)
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    assert await kept(any_core) == 0


async def test_a_report_stays_while_the_valid_record_needs_it(any_core: Core) -> None:
    cases = any_core.use_cases
    task = await any_core.complete(await any_core.task(), PACKED)
    fields = TaskFields(source_uri="https://cdn.example.com/other.wav")
    again = await cases.import_tasks.update(WHO, task.id, fields)
    assert (again.generation, again.has_report) == (2, False)
    with pytest.raises(NotFound):
        await cases.reports.of_task(WHO, task.id)
    assert task.record_id is not None
    assert not await cases.retention.prune()
    assert await cases.reports.of_record(WHO, task.record_id)

    done = await any_core.complete(again, PACKED)
    assert await kept(any_core) == 2
    assert (await cases.retention.prune()).total() == 1
    assert await kept(any_core) == 1
    with pytest.raises(NotFound):
        await cases.reports.of_record(WHO, task.record_id)
    assert (await cases.records.get(WHO, task.record_id)).report_generation is None
    assert done.record_id is not None
    assert await cases.reports.of_record(WHO, done.record_id)


async def test_needless_reports_are_found_by_an_index_and_so_many_at_a_time(core: Core) -> None:
    tasks = [await core.complete(await core.task(f"USRC1234567{n}"), PACKED) for n in range(2)]
    for task in tasks:
        fields = TaskFields(source_uri="https://cdn.example.com/other.wav")
        again = await core.use_cases.import_tasks.update(WHO, task.id, fields)
        await core.complete(again, PACKED)
    asked: list[tuple[str, tuple[object, ...]]] = []

    def look(connection: Connection) -> tuple[list[int], list[str]]:
        event.listen(
            connection, "before_cursor_execute", lambda _, __, *said: asked.append(said[:2])
        )
        counts = [len(report_rows.unneeded(connection, limit)) for limit in (1, 10)]
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0][0]}", asked[0][1])
        return counts, [row.detail for row in rows]

    counts, plan = await core.use_cases.executor.read(look)
    assert counts == [1, 2]
    assert plan[0].endswith("INDEX ix_import_tasks_again")
    assert [step for step in plan if step.startswith("SCAN")] == plan[:1]


async def test_a_new_record_of_the_same_bytes_keeps_the_report(core: Core) -> None:
    cases = core.use_cases
    task = await core.complete(await core.task(), PACKED)
    changed = await cases.import_tasks.update(WHO, task.id, TaskFields(isrc="USRC10000000"))
    assert changed.record_id not in {None, task.record_id}
    assert not await cases.retention.prune()
    for id_ in (task.record_id, changed.record_id):
        assert id_ is not None
        assert await cases.reports.of_record(WHO, id_)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        PACKED[:-9],
        gzip.compress(b"[]"),
        gzip.compress(b'{"\xff": 1}'),
        gzip.compress(b'{"a": "\xff"}'),
        gzip.compress(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        gzip.compress(b"{"),
        gzip.compress(b'{"a": "' + b" " * MAX_JSON_BYTES + b'"}'),
    ],
    ids=["plain", "cut", "list", "name", "value", "deep", "broken", "bomb"],
)
def test_what_is_no_report_is_dropped_and_the_outcome_counts(body: bytes) -> None:
    with pytest.raises(BrokenReport):
        unpack(body)
    accepted = job.Accepted(md5=MD5, size_bytes=1, format=Format(), report=body)
    told = to_domain(accepted)
    assert isinstance(told, Accepted)
    assert (told.md5, told.report) == (MD5, b"")
    sound = to_domain(replace(accepted, report=PACKED))
    assert isinstance(sound, Accepted)
    assert sound.report == PACKED


async def test_a_claim_says_what_to_judge_by(any_core: Core) -> None:
    cases = any_core.use_cases
    track = await cases.tracks.create(WHO, Fields(title="Song", stereo_duration=215.04))
    task = await any_core.task()
    await any_core.store(task)
    run = Run(Stage.VALIDATE, 1, task.id)

    async def asked() -> Go:
        decision = await cases.runs.claim(task.id, run)
        assert isinstance(decision, Go)
        return decision

    first = await asked()
    assert (first.delivery_profile, first.stereo_duration) == (None, None)
    await cases.settings.update(WHO, SettingsFields(delivery_profile="apple-music"))
    target = Target("tracks", track.id)
    await cases.import_tasks.update(WHO, task.id, TaskFields(target=target))
    tenants = await asked()
    assert (tenants.delivery_profile, tenants.stereo_duration) == (
        "apple-music",
        timedelta(seconds=215.04),
    )
    await cases.import_tasks.update(WHO, task.id, TaskFields(delivery_profile="atmos"))
    assert (await asked()).delivery_profile == "atmos"


async def test_another_tenant_s_choice_is_nothing_to_judge_by(core: Core) -> None:
    cases, other = core.use_cases, a_principal("other")
    await cases.settings.update(other, SettingsFields(delivery_profile="apple-music"))
    for who, profile in ((WHO, None), (other, "apple-music")):
        task = await core.task(who=who)
        await core.store(task)
        decision = await cases.runs.claim(task.id, Run(Stage.VALIDATE, 1, task.id))
        assert isinstance(decision, Go)
        assert decision.delivery_profile == profile


async def test_another_profile_changes_the_row_of_a_completed_task_alone(core: Core) -> None:
    done = await core.complete(await core.task(), PACKED)
    fields = TaskFields(delivery_profile="apple-music")
    changed = await core.use_cases.import_tasks.update(WHO, done.id, fields)
    assert (changed.status, changed.generation) == (Status.COMPLETED, 1)
    assert (changed.record_id, changed.delivery_profile) == (done.record_id, "apple-music")
