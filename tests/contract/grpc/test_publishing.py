"""PublishJobService and PublicationService over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage
from services.api.domain.queries import PublicationQuery, TaskQuery
from services.api.use_cases.publications import PublicationFields
from stagedoor.v1 import publication_service_pb2 as pb
from stagedoor.v1 import publish_job_service_pb2 as jobs_pb
from stagedoor.v1.import_task_service_pb2 import ImportTask
from stagedoor.v1.publication_service_pb2 import Publication
from stagedoor.v1.publication_service_pb2_grpc import PublicationServiceStub
from stagedoor.v1.publish_job_service_pb2 import PublishJob
from stagedoor.v1.publish_job_service_pb2_grpc import PublishJobServiceStub
from stagedoor.v1.track_service_pb2 import Track
from tests.support.core import a_principal
from tests.support.door import refused
from tests.support.publishing import published

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door

HOOK = "https://hooks.example.com/done"


async def call(door: Door, method: str, request: Any) -> Any:
    """Call a method of either service."""
    channel: Any = door.channel
    stub = PublicationServiceStub if "ublication" in method or "Rendition" in method else None
    service: Any = (stub or PublishJobServiceStub)(channel)
    return await getattr(service, method)(request, metadata=door.admin)


async def a_job(door: Door, **fields: Any) -> PublishJob:
    request = jobs_pb.CreatePublishJobRequest(publish_job=PublishJob(**fields))
    job: PublishJob = await call(door, "CreatePublishJob", request)
    return job


async def test_a_master_is_published_and_found(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    job = await a_job(door, display_name="Friday", oncomplete=HOOK)
    assert (job.display_name, job.oncomplete, job.number > 0) == ("Friday", HOOK, True)
    wanted = Publication(
        publish_job=job.name,
        record=f"records/{task.record_id}",
        formats=["mp3", "wav"],
        metadata={"Title": "A song"},
    )
    request = pb.CreatePublicationRequest(publication=wanted, request_id="once")
    draft = await call(door, "CreatePublication", request)
    assert await call(door, "CreatePublication", request) == draft
    assert (draft.state, draft.record) == (Publication.STATE_DRAFT, "")
    assert draft.import_task == f"importTasks/{task.id}"

    ran = await call(door, "RunPublishJob", jobs_pb.RunPublishJobRequest(name=job.name))
    assert (ran.draft_count, ran.queued_count, ran.oncomplete) == (0, 1, HOOK)
    query = pb.ListPublicationsRequest(filter=f'publish_job = "{job.name}"')
    page = await call(door, "ListPublications", query)
    assert (page.total_size, page.publications[0].state) == (1, Publication.STATE_QUEUED)

    id_ = (await core.use_cases.publications.list(a_principal(), PublicationQuery())).items[0].id
    run = await core.claim(id_, Stage.PUBLISH)
    there = await core.use_cases.publications.get(a_principal(), id_)
    assert await core.use_cases.runs.report(id_, run, published(there, run))
    done = await call(door, "GetPublication", pb.GetPublicationRequest(name=draft.name))
    assert (done.state, done.record) == (Publication.STATE_PUBLISHED, wanted.record)
    assert [each.format for each in done.renditions] == ["mp3", "wav"]
    first = done.renditions[0]
    assert (first.integrated_lufs, first.HasField("true_peak_dbtp")) == (-14.0, False)
    assert first.duration.ToTimedelta().total_seconds() == 1.5
    link = await call(
        door, "GenerateRenditionLink", pb.GenerateRenditionLinkRequest(name=first.name)
    )
    assert first.name.removeprefix("renditions/") in link.uri
    found = await call(
        door, "ListPublishJobs", jobs_pb.ListPublishJobsRequest(filter=f"number = {job.number}")
    )
    assert [each.complete_count for each in found.publish_jobs] == [1]


async def test_an_import_is_made_along(door: Door, core: Core) -> None:
    job = await call(door, "EnsureDefaultPublishJob", jobs_pb.EnsureDefaultPublishJobRequest())
    assert job.is_default
    request = pb.ImportPublicationRequest(
        publication=Publication(publish_job=job.name),
        import_task=ImportTask(source_uri="https://cdn.example.com/song.wav"),
        track=Track(title="A song"),
    )
    made = await call(door, "ImportPublication", request)
    assert list(made.formats) == ["mp3"]
    (task,) = (await core.use_cases.import_tasks.list(a_principal(), TaskQuery())).items
    assert made.import_task == f"importTasks/{task.id}"
    assert (task.master_type, task.target is not None) == ("hd", True)


async def test_a_further_file_is_for_the_same_track_and_starts_when_it_is_told(
    door: Door, core: Core
) -> None:
    job = await call(door, "EnsureDefaultPublishJob", jobs_pb.EnsureDefaultPublishJobRequest())
    starts = (
        ("song.wav", "START_UNSPECIFIED", "STATE_DRAFT"),
        ("song.aiff", "START_AT_ONCE", "STATE_QUEUED"),
        ("other.wav", "START_WHEN_QUIET", "STATE_DRAFT"),
    )
    for name, start, state in starts:
        before = await call(door, "GetPublishJob", jobs_pb.GetPublishJobRequest(name=job.name))
        assert not before.HasField("start_time")
        made = await call(
            door,
            "ImportPublication",
            pb.ImportPublicationRequest(
                publication=Publication(
                    publish_job=job.name,
                    file_name=name,
                    start=Publication.Start.Value(start),
                ),
                import_task=ImportTask(source_uri=f"https://cdn.example.com/{name}"),
                track=Track(title="A song"),
            ),
        )
        assert (made.file_name, Publication.State.Name(made.state)) == (name, state)
    after = await call(door, "GetPublishJob", jobs_pb.GetPublishJobRequest(name=job.name))
    assert after.start_time.ToDatetime() > after.create_time.ToDatetime()
    tasks = (await core.use_cases.import_tasks.list(a_principal(), TaskQuery())).items
    first, further, other = [each.target for each in tasks]
    assert first == further != other
    again = pb.CreatePublicationRequest(
        publication=Publication(
            publish_job=job.name,
            import_task=f"importTasks/{tasks[0].id}",
            start=Publication.Start.START_AT_ONCE,
        ),
    )
    made = await call(door, "CreatePublication", again)
    assert (made.state, list(made.formats)) == (Publication.State.STATE_QUEUED, ["mp3"])


async def test_jobs_and_publications_are_changed_and_deleted(door: Door, core: Core) -> None:
    job = await a_job(door)
    update = jobs_pb.UpdatePublishJobRequest(
        publish_job=PublishJob(name=job.name, display_name="Saturday", etag=job.etag)
    )
    changed = await call(door, "UpdatePublishJob", update)
    assert (changed.display_name, changed.etag != job.etag) == ("Saturday", True)
    assert (await refused(call(door, "UpdatePublishJob", update))).code is StatusCode.ABORTED

    task = await core.complete(await core.task())
    fields = PublicationFields(job=_id(job.name), import_task=task.id)
    draft = await core.use_cases.publications.create(a_principal(), fields)
    name = f"publications/{draft.id}"
    again = await call(
        door,
        "UpdatePublication",
        pb.UpdatePublicationRequest(
            publication=Publication(name=name, formats=["flac"], metadata={"Title": "x"}),
            update_mask=FieldMask(paths=["formats"]),
        ),
    )
    assert (list(again.formats), dict(again.metadata)) == (["flac"], {})
    await call(door, "DeletePublication", pb.DeletePublicationRequest(name=name))
    await call(door, "DeletePublishJob", jobs_pb.DeletePublishJobRequest(name=job.name))
    gone = await refused(call(door, "GetPublishJob", jobs_pb.GetPublishJobRequest(name=job.name)))
    assert (gone.code, gone.resource[1]) == (StatusCode.NOT_FOUND, job.name)


def _id(name: str) -> UUID:
    return UUID(name.partition("/")[2])


@pytest.mark.parametrize(
    ("publication", "field"),
    [
        (Publication(import_task=f"importTasks/{uuid7()}"), "publish_job"),
        (Publication(publish_job=f"publishJobs/{uuid7()}"), "import_task"),
        (Publication(publish_job=f"publishJobs/{uuid7()}", import_task="x"), "import_task"),
    ],
)
async def test_what_is_missing_is_named(door: Door, publication: Publication, field: str) -> None:
    request = pb.CreatePublicationRequest(publication=publication)
    answer = await refused(call(door, "CreatePublication", request))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert [each.rpartition(".")[2] for each in answer.fields] == [field]
