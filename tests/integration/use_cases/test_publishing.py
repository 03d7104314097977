"""Publish jobs and publications on a real database: their life, their counts, their bytes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from services.api.db.tables import deliveries, publications
from services.api.domain.errors import (
    InvalidFields,
    KeyReused,
    NotFound,
    RelatedNotFound,
    StateConflict,
)
from services.api.domain.lifecycle import PublicationStatus, Stage
from services.api.domain.outcomes import (
    Failed,
    GoPublish,
    Later,
    Refused,
    Released,
    Run,
    Stop,
    error,
)
from services.api.domain.queries import PublicationQuery, PublishJobQuery
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.items import Fields
from services.api.use_cases.options import Options
from services.api.use_cases.publications import PublicationFields
from services.api.use_cases.publish_jobs import JobFields
from services.api.use_cases.quotas import Quotas
from services.api.use_cases.settings import SettingsFields
from services.api.use_cases.targets import Targets
from shared.origin import OriginPolicy
from tests.support.core import a_principal, open_core
from tests.support.publishing import a_draft, a_job, key_of, publish, published

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.domain.publishing import Publication, PublishJob
    from tests.integration.use_cases.conftest import Doomed
    from tests.support.core import Core

WHO, OTHER = a_principal(), a_principal("other")
WRONG = error("master_undecodable", "No sound.")
HOOK, MAIL = "https://hooks.example.com/done", "ops@example.com"
ISRCS = [f"USRC1234567{digit}" for digit in range(10)]


@pytest.fixture
async def mailing(database_url: str) -> AsyncIterator[Core]:
    """A core that may send mail."""
    async with open_core(database_url, targets=Targets(OriginPolicy(), mail=True)) as opened:
        yield opened


async def counts(core: Core, job: PublishJob) -> dict[PublicationStatus, int]:
    """The kept counts of a job, which must be what a recount gives."""
    kept = (await core.use_cases.publish_jobs.get(WHO, job.id)).counts
    query = select(publications.c.status).where(publications.c.job_id == job.id)
    found = await core.use_cases.executor.read(lambda c: Counter(c.scalars(query)))
    assert {str(each): n for each, n in kept.items() if n} == dict(found)
    return {each: n for each, n in kept.items() if n}


async def told(core: Core) -> list[tuple[str, dict[str, object]]]:
    """Who is told of the end of jobs, and what."""
    query = select(deliveries.c.target, deliveries.c.body).order_by(deliveries.c.id)
    rows = await core.use_cases.executor.read(lambda c: c.execute(query).all())
    return [(row.target, json.loads(row.body)["data"]["publishJob"]) for row in rows]


async def get(core: Core, publication: Publication) -> Publication:
    return await core.use_cases.publications.get(WHO, publication.id)


async def test_a_master_is_published_and_its_task_stays_as_it_is(any_core: Core) -> None:
    task = await any_core.complete(await any_core.task())
    job = await a_job(any_core, display_name="Imports for 05/10")
    draft = await a_draft(any_core, job, task, "mp3", "aiff", Title="A song", Rating="5")
    assert (draft.status, draft.due_at) == (PublicationStatus.DRAFT, None)

    ran = await any_core.use_cases.publish_jobs.run(WHO, job.id)
    assert ran.counts[PublicationStatus.QUEUED] == 1
    run = Run(Stage.PUBLISH, 1, uuid7())
    go = await any_core.use_cases.runs.claim(draft.id, run)
    assert isinstance(go, GoPublish)
    assert go.record.id == task.record_id
    assert go.tags == {"title": "A song", "isrc": "USRC12345678"}
    assert await counts(any_core, job) == {PublicationStatus.PUBLISHING: 1}
    assert await any_core.use_cases.runs.progress(draft.id, run, 10, 100)

    assert await any_core.use_cases.runs.report(draft.id, run, published(draft, run))
    done = await get(any_core, draft)
    assert await counts(any_core, job) == {PublicationStatus.PUBLISHED: 1}
    assert [each.format for each in done.renditions] == ["mp3", "aiff"]
    assert done.renditions[0].integrated_lufs == -14.0
    assert (done.record_id, done.due_at, done.claim) == (task.record_id, None, None)
    assert await any_core.use_cases.import_tasks.get(WHO, task.id) == task


async def test_who_has_no_master_yet_waits_for_it(any_core: Core) -> None:
    task = await any_core.task()
    job = await a_job(any_core)
    draft = await a_draft(any_core, job, task)
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    due = await any_core.use_cases.dispatch.due(10)
    assert [each.stage for each in due] == [Stage.DOWNLOAD]
    early = await any_core.use_cases.runs.claim(draft.id, Run(Stage.PUBLISH, 1, uuid7()))
    assert early == Stop("no_record")

    await any_core.complete(task)
    due = await any_core.use_cases.dispatch.due(10)
    assert [(each.task_id, each.stage, each.generation) for each in due] == [
        (draft.id, Stage.PUBLISH, 1)
    ]
    await any_core.use_cases.dispatch.published(due)
    assert await any_core.use_cases.dispatch.due(10) == ()


async def test_a_master_that_is_refused_fails_what_waits_for_it(any_core: Core) -> None:
    task, job = await any_core.task(), await a_job(any_core, oncomplete=HOOK)
    draft = await a_draft(any_core, job, task)
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    await any_core.use_cases.runs.report(task.id, run, Refused(problems=(WRONG,)))
    failed = await get(any_core, draft)
    assert failed.status is PublicationStatus.PUBLISH_FAILED
    assert [each["code"] for each in failed.problems] == ["master_refused"]
    assert [target for target, _ in await told(any_core)] == [HOOK]

    late = await a_draft(any_core, job, task)
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    assert (await get(any_core, late)).status is PublicationStatus.PUBLISH_FAILED
    assert await counts(any_core, job) == {PublicationStatus.PUBLISH_FAILED: 2}


async def test_the_rules_of_runs_are_those_of_every_stage(any_core: Core, doomed: Doomed) -> None:
    runs = any_core.use_cases.runs
    job = await a_job(any_core)
    draft = await a_draft(any_core, job, await any_core.complete(await any_core.task()))
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    first = await any_core.claim(draft.id, Stage.PUBLISH)
    assert isinstance(await runs.claim(draft.id, first), GoPublish)
    other = Run(Stage.PUBLISH, 1, uuid7())
    assert isinstance(await runs.claim(draft.id, other), Later)
    assert not await runs.progress(draft.id, other, 1, 2)

    stale = published(draft, other)
    assert not await runs.report(draft.id, other, stale)
    assert await doomed() == {each.blob_key for each in stale.files}
    assert await runs.report(draft.id, first, Released(reason="shutdown"))
    assert (await get(any_core, draft)).attempts == 0
    second = await any_core.claim(draft.id, Stage.PUBLISH)
    assert await runs.report(draft.id, second, Failed(problem=WRONG))
    waiting = await get(any_core, draft)
    assert (waiting.attempts, waiting.last_failure) == (1, WRONG)
    assert waiting.status is PublicationStatus.PUBLISHING
    assert await counts(any_core, job) == {PublicationStatus.PUBLISHING: 1}


async def test_a_report_of_other_files_is_not_believed(any_core: Core, doomed: Doomed) -> None:
    job = await a_job(any_core)
    draft = await a_draft(any_core, job, await any_core.complete(await any_core.task()), "mp3")
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    run = await any_core.claim(draft.id, Stage.PUBLISH)
    wrong = published(await a_draft(any_core, job, draft.task_id, "wav"), run)
    assert await any_core.use_cases.runs.report(draft.id, run, wrong)
    failed = await get(any_core, draft)
    assert (failed.status, failed.renditions) == (PublicationStatus.PUBLISH_FAILED, ())
    assert await doomed() == {each.blob_key for each in wrong.files}


async def test_new_formats_make_a_draft_again_and_the_old_files_stay_till_then(
    any_core: Core, doomed: Doomed
) -> None:
    job = await a_job(any_core)
    task = await any_core.complete(await any_core.task())
    before = await publish(any_core, await a_draft(any_core, job, task, "mp3"))
    change = any_core.use_cases.publications.update
    again = await change(WHO, before.id, PublicationFields(formats=("mp3", "flac")))
    assert (again.status, again.renditions) == (PublicationStatus.DRAFT, before.renditions)
    assert await change(WHO, before.id, PublicationFields(formats=("mp3", "flac"))) == again
    old = {each.blob_key for each in before.renditions}
    stored = await any_core.use_cases.settings.get(WHO)
    assert stored.storage.stored == 1000 + 11
    assert await any_core.use_cases.blobs.unknown([*old, "x"]) == {"x"}

    after = await publish(any_core, again)
    assert [each.format for each in after.renditions] == ["mp3", "flac"]
    assert await doomed() == old
    assert (await any_core.use_cases.settings.get(WHO)).storage.stored == 1000 + 22
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    assert (await get(any_core, after)).status is PublicationStatus.PUBLISHED


async def test_what_is_under_way_cannot_be_changed(any_core: Core) -> None:
    job, task = await a_job(any_core), await any_core.task()
    draft = await a_draft(any_core, job, task)
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    with pytest.raises(StateConflict):
        await any_core.use_cases.publications.update(
            WHO, draft.id, PublicationFields(formats=["wav"])
        )
    with pytest.raises(StateConflict):
        await any_core.use_cases.publish_jobs.delete(WHO, job.id)


async def test_deleting_takes_renditions_along(any_core: Core, doomed: Doomed) -> None:
    job, other = await a_job(any_core), await a_job(any_core)
    tasks = [await any_core.complete(await any_core.task(isrc)) for isrc in ISRCS[:3]]
    made = [
        await publish(any_core, await a_draft(any_core, each, task, "mp3"))
        for each, task in zip((job, job, other), tasks, strict=True)
    ]
    keys = [each.renditions[0].blob_key for each in made]
    await any_core.use_cases.publications.delete(WHO, made[0].id)
    assert await doomed() == set(keys[:1])
    await any_core.use_cases.publish_jobs.delete(WHO, job.id)
    assert await doomed() == set(keys[:2])
    await any_core.use_cases.import_tasks.delete(WHO, tasks[2].id)
    assert set(keys) < await doomed()
    assert await counts(any_core, other) == {}
    assert (await any_core.use_cases.settings.get(WHO)).storage.stored == 2000


async def test_a_deleted_publication_stops_its_run(any_core: Core) -> None:
    job = await a_job(any_core)
    draft = await a_draft(any_core, job, await any_core.complete(await any_core.task()))
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    run = await any_core.claim(draft.id, Stage.PUBLISH)
    topics: list[str] = []
    any_core.signals.listen(topics.append)
    await any_core.use_cases.publications.delete(WHO, draft.id)
    assert f"cancel:{draft.id}:1" in topics
    assert not await any_core.use_cases.runs.progress(draft.id, run, 1, 2)
    assert not await any_core.use_cases.runs.report(draft.id, run, published(draft, run))


async def test_the_last_to_end_tells_all_who_want_to_know_once(mailing: Core) -> None:
    await mailing.use_cases.settings.update(WHO, SettingsFields(contact_email=MAIL))
    job = await a_job(mailing, display_name="Friday")
    assert job.contact_email == MAIL
    tasks = [await mailing.complete(await mailing.task(isrc)) for isrc in ISRCS[:4]]
    drafts = [await a_draft(mailing, job, task) for task in tasks]
    jobs = mailing.use_cases.publish_jobs
    await jobs.run(WHO, job.id, oncomplete="https://old.example.com/")
    await jobs.run(WHO, job.id, oncomplete=HOOK)
    runs = [await mailing.claim(each.id, Stage.PUBLISH) for each in drafts]
    outcomes = [published(*each) for each in zip(drafts, runs, strict=True)]
    await asyncio.gather(
        *(
            mailing.use_cases.runs.report(draft.id, run, outcome)
            for draft, run, outcome in zip(drafts, runs, outcomes, strict=True)
        )
    )
    expected = {"name": f"publishJobs/{job.id}", "number": job.number, "displayName": "Friday"}
    expected |= {"published": 4, "failed": 0}
    assert await told(mailing) == [(HOOK, expected), (f"mailto:{MAIL}", expected)]
    assert await counts(mailing, job) == {PublicationStatus.PUBLISHED: 4}


async def test_the_default_job_is_made_once(any_core: Core) -> None:
    jobs = any_core.use_cases.publish_jobs
    made = await asyncio.gather(*(jobs.default(WHO) for _ in range(5)))
    assert {each.id for each in made} == {made[0].id}
    assert made[0].is_default
    theirs = await jobs.default(OTHER)
    assert theirs.id != made[0].id
    assert (await jobs.list(WHO, PublishJobQuery())).total == 1
    with pytest.raises(NotFound):
        await jobs.get(OTHER, made[0].id)
    with pytest.raises(NotFound):
        await jobs.run(OTHER, made[0].id)


async def test_an_import_is_made_along_with_its_track(any_core: Core) -> None:
    job = await a_job(any_core)
    fields = PublicationFields(
        job=job.id,
        new_track=Fields(title="A song"),
        new_task=TaskFields(source_uri="https://cdn.example.com/song.wav", master_type="hd"),
    )
    made = await any_core.use_cases.publications.create(WHO, fields, options=Options(key="k"))
    assert made.formats == ("mp3",)
    task = await any_core.use_cases.import_tasks.get(WHO, made.task_id)
    assert task.target is not None
    track = await any_core.use_cases.tracks.get(WHO, task.target.id)
    assert (task.master_type, track.title) == ("hd", "A song")
    again = await any_core.use_cases.publications.create(WHO, fields, options=Options(key="k"))
    assert again == made
    other = PublicationFields(job=job.id, new_task=fields.new_task, formats=["wav"])
    with pytest.raises(KeyReused):
        await any_core.use_cases.publications.create(WHO, other, options=Options(key="k"))
    query = PublicationQuery(job_ids=frozenset({job.id}))
    assert (await any_core.use_cases.publications.list(WHO, query)).items == (made,)
    bad = TaskFields(source_uri="ftp://x")
    wrong = PublicationFields(job=job.id, new_track=Fields(title="T"), new_task=bad)
    with pytest.raises(InvalidFields):
        await any_core.use_cases.publications.create(WHO, wrong)
    assert (await any_core.use_cases.publications.list(WHO, query)).total == 1


async def test_what_cannot_be_is_refused(any_core: Core) -> None:
    job = await a_job(any_core)
    task = await any_core.task()
    create = any_core.use_cases.publications.create
    for fields in (
        PublicationFields(job=job.id),
        PublicationFields(job=job.id, import_task=task.id, record=task.id),
        PublicationFields(job=job.id, import_task=task.id, formats=["mp4"]),
        PublicationFields(job=job.id, import_task=task.id, formats=[]),
        PublicationFields(job=job.id, import_task=task.id, metadata={"Title": "a\nb"}),
        PublicationFields(job=job.id, import_task=task.id, metadata={"Title": 7}),
        PublicationFields(import_task=task.id),
    ):
        with pytest.raises(InvalidFields):
            await create(WHO, fields)
    for fields in (
        PublicationFields(job=uuid7(), import_task=task.id),
        PublicationFields(job=job.id, import_task=uuid7()),
        PublicationFields(job=job.id, record=uuid7()),
    ):
        with pytest.raises(RelatedNotFound):
            await create(WHO, fields)
    with pytest.raises(RelatedNotFound):
        await create(OTHER, PublicationFields(job=job.id, import_task=task.id))
    for wrong in (JobFields(oncomplete="http://x"), JobFields(contact_email=MAIL)):
        with pytest.raises(InvalidFields):
            await any_core.use_cases.publish_jobs.create(WHO, wrong)


async def test_a_quota_holds_for_renditions_too(any_core: Core, doomed: Doomed) -> None:
    job = await a_job(any_core)
    draft = await a_draft(any_core, job, await any_core.complete(await any_core.task()))
    await Quotas(any_core.use_cases.executor).set("default", 1011)
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    run = await any_core.claim(draft.id, Stage.PUBLISH)
    await any_core.use_cases.runs.report(draft.id, run, published(draft, run))
    failed = await get(any_core, draft)
    assert [each["code"] for each in failed.problems] == ["quota_exceeded"]
    assert await doomed() == {key_of(draft, run, each) for each in draft.formats}


async def test_the_lease_of_a_silent_publisher_ends(any_core: Core) -> None:
    job = await a_job(any_core)
    draft = await a_draft(any_core, job, await any_core.complete(await any_core.task()))
    await any_core.use_cases.publish_jobs.run(WHO, job.id)
    run = await any_core.claim(draft.id, Stage.PUBLISH)
    held = await get(any_core, draft)
    assert held.claim is not None
    assert held.due_at == held.claim.lease_until
    assert held.claim.run_id == run.id
    assert held.claim.deadline - held.claim.lease_until > timedelta(hours=1)
