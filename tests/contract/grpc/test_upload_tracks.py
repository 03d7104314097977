"""Upload tracks, jobs and kept uploads over gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from services.api.db import job_rows
from services.api.domain.jobs import KEPT
from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Refused
from services.api.domain.uploads import KEPT as STORED
from services.api.use_cases.jobs import Write
from services.api.use_cases.upload_tracks import TrackFields
from services.api.use_cases.uploads import forget
from shared.blobs.local import LocalStore
from stagedoor.v1 import job_service_pb2 as jobs_pb
from stagedoor.v1 import upload_service_pb2 as uploads_pb
from stagedoor.v1 import upload_track_service_pb2 as pb
from stagedoor.v1.import_task_service_pb2 import ImportTask
from stagedoor.v1.job_service_pb2_grpc import JobServiceStub
from stagedoor.v1.upload_service_pb2_grpc import UploadServiceStub
from stagedoor.v1.upload_track_service_pb2_grpc import UploadTrackServiceStub
from tests.support.core import a_principal, open_core
from tests.support.door import open_door, refused
from tests.support.uploading import expect, stored_upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.domain.jobs import Job
    from stagedoor.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from stagedoor.v1.upload_service_pb2_grpc import UploadServiceAsyncStub
    from stagedoor.v1.upload_track_service_pb2_grpc import UploadTrackServiceAsyncStub
    from tests.support.core import Core
    from tests.support.door import Door

URL = "https://cdn.example.com/it.srt"
WHO = a_principal()
PROBLEM = {"code": "subtitles_empty", "severity": "error", "detail": "There is no cue."}


@dataclass(frozen=True, slots=True)
class Desk:
    """A door, and the core behind it."""

    door: Door
    core: Core

    @property
    def tracks(self) -> UploadTrackServiceAsyncStub:
        """Upload tracks."""
        return UploadTrackServiceStub(self.door.channel)

    @property
    def uploads(self) -> UploadServiceAsyncStub:
        """Uploads."""
        return UploadServiceStub(self.door.channel)

    @property
    def jobs(self) -> JobServiceAsyncStub:
        """Jobs."""
        return JobServiceStub(self.door.channel)

    async def keep(self, name: str) -> uploads_pb.Upload:
        """Keep an upload."""
        request = uploads_pb.KeepUploadRequest(name=name)
        kept: uploads_pb.Upload = await self.uploads.KeepUpload(request, metadata=self.door.admin)
        return kept

    async def asset(self) -> str:
        """The name of a new kept upload."""
        return (await self.keep(f"uploads/{(await stored_upload(self.core)).id}")).name

    async def create(self, upload: str, **changes: object) -> pb.UploadTrack:
        """A new track: Italian subtitles by URL, but for the changes."""
        fields: dict[str, object] = {
            "type": pb.UploadTrack.TYPE_SUBTITLES,
            "language_code": "it-it",
            "source_uri": URL,
        }
        wanted = pb.UploadTrack(upload=upload, **fields | changes)  # type: ignore[arg-type] # by name
        request = pb.CreateUploadTrackRequest(upload_track=wanted)
        made: pb.UploadTrack = await self.tracks.CreateUploadTrack(
            request, metadata=self.door.admin
        )
        return made

    async def get(self, name: str) -> pb.UploadTrack:
        """A track as it is now."""
        request = pb.GetUploadTrackRequest(name=name)
        track: pb.UploadTrack = await self.tracks.GetUploadTrack(request, metadata=self.door.admin)
        return track

    async def update(self, track: pb.UploadTrack, *paths: str) -> pb.UploadTrack:
        """Change some fields."""
        request = pb.UpdateUploadTrackRequest(
            upload_track=track, update_mask=FieldMask(paths=paths)
        )
        after: pb.UploadTrack = await self.tracks.UpdateUploadTrack(
            request, metadata=self.door.admin
        )
        return after


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """The desk of the tenant ``default``."""
    async with (
        open_core(database_url, store=LocalStore(tmp_path)) as core,
        open_door(core) as door,
    ):
        yield Desk(door, core)


async def a_job(core: Core, upload: UUID) -> Job:
    """The job of a new track."""
    fields = TrackFields(type="subtitles", language_code="it", source_uri=URL)
    unit = core.use_cases.upload_tracks.creating(WHO, upload, fields)
    return await core.use_cases.jobs.run(WHO, Write(action="create", unit=unit, waits=True))


async def test_a_track_is_created_followed_changed_and_deleted(desk: Desk) -> None:
    upload = await desk.asset()
    made = await desk.create(upload)
    assert (made.language_code, made.display_name) == ("it-IT", "Italiano")
    assert (made.state, made.closed_captions) == (ImportTask.STATE_PENDING, False)
    assert not made.source_uri
    assert await desk.get(made.name) == made

    changed = await desk.update(
        pb.UploadTrack(name=made.name, upload=upload, etag=made.etag, closed_captions=True),
        "closed_captions",
    )
    assert (changed.closed_captions, changed.import_task) == (True, made.import_task)
    stale = desk.update(pb.UploadTrack(name=made.name, etag=made.etag), "display_name")
    assert (await refused(stale)).reason == "ETAG_MISMATCH"

    wanted = pb.UploadTrack(name=made.name, source_uri=f"{URL}?2")
    moved = await desk.update(wanted, "source_uri")
    assert moved.import_task != made.import_task
    request = pb.ListUploadTracksRequest(filter=f'upload = "{upload}"')
    listed = await desk.tracks.ListUploadTracks(request, metadata=desk.door.admin)
    assert (list(listed.upload_tracks), listed.total_size) == ([moved], 1)

    gone = pb.DeleteUploadTrackRequest(name=made.name, etag=moved.etag)
    await desk.tracks.DeleteUploadTrack(gone, metadata=desk.door.admin)
    assert (await refused(desk.get(made.name))).code is StatusCode.NOT_FOUND
    request = pb.ListUploadTracksRequest()
    after = await desk.tracks.ListUploadTracks(request, metadata=desk.door.admin)
    assert after.total_size == 0


async def test_a_track_s_upload_is_one_that_is_kept_and_stays(desk: Desk) -> None:
    waiting = f"uploads/{(await expect(desk.core)).id}"
    answer = await refused(desk.create(waiting))
    assert (answer.code, answer.reason) == (StatusCode.NOT_FOUND, "RELATED_NOT_FOUND")
    upload, another = await desk.asset(), await desk.asset()
    made = await desk.create(upload)
    moved = desk.update(pb.UploadTrack(name=made.name, upload=another), "upload")
    assert (await refused(moved)).fields == {"upload_track.upload": "INVALID"}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"type": 0, "language_code": ""}, {"type": "REQUIRED", "language_code": "REQUIRED"}),
        ({"type": 77}, {"type": "INVALID"}),
        ({"language_code": "und"}, {"language_code": "INVALID"}),
        ({"language_code": "en-" + "x-" + "abcdefgh-" * 8 + "a"}, {"language_code": "INVALID"}),
        ({"source_uri": ""}, {"source_uri": "REQUIRED"}),
    ],
)
async def test_what_a_track_needs(
    desk: Desk, changes: dict[str, object], fields: dict[str, str]
) -> None:
    answer = await refused(desk.create(await desk.asset(), **changes))
    assert answer.fields == {f"upload_track.{name}": code for name, code in fields.items()}


async def test_an_upload_becomes_a_track_once(desk: Desk) -> None:
    upload = await desk.asset()
    source = f"uploads/{(await stored_upload(desk.core)).id}"
    made = await desk.create(upload, source_uri="", source_upload=source)
    assert made.state == ImportTask.STATE_DOWNLOADED
    again = desk.create(upload, source_uri="", source_upload=source)
    assert (await refused(again)).fields == {"upload_track.source_upload": "INVALID"}
    # Nor does what is kept as an asset.
    asset = desk.create(upload, source_uri="", source_upload=upload)
    assert (await refused(asset)).fields == {"upload_track.source_upload": "INVALID"}
    assert (await refused(desk.keep(source))).reason == "STATE_CONFLICT"


async def test_only_what_is_stored_is_kept_and_then_for_good(desk: Desk) -> None:
    waiting = f"uploads/{(await expect(desk.core)).id}"
    assert (await refused(desk.keep(waiting))).reason == "STATE_CONFLICT"
    stored = await stored_upload(desk.core)
    kept = await desk.keep(f"uploads/{stored.id}")
    assert kept.state == uploads_pb.Upload.STATE_KEPT
    assert not kept.HasField("expire_time")
    assert await desk.keep(kept.name) == kept

    other = await stored_upload(desk.core)
    soon = stored.expires_at + 2 * STORED
    forgotten = await desk.core.use_cases.executor.write(lambda t: forget(t, soon, 9))
    assert forgotten == 2  # the other one, and the one that waits
    request = uploads_pb.GetUploadRequest(name=kept.name)
    assert await desk.uploads.GetUpload(request, metadata=desk.door.admin) == kept
    request = uploads_pb.GetUploadRequest(name=f"uploads/{other.id}")
    lost = desk.uploads.GetUpload(request, metadata=desk.door.admin)
    assert (await refused(lost)).code is StatusCode.NOT_FOUND


async def test_an_upload_with_tracks_is_deleted_by_force_only(desk: Desk) -> None:
    upload = await desk.asset()
    made = await desk.create(upload)
    request = uploads_pb.DeleteUploadRequest(name=upload)
    answer = await refused(desk.uploads.DeleteUpload(request, metadata=desk.door.admin))
    assert answer.reason == "IN_USE"
    request.force = True
    await desk.uploads.DeleteUpload(request, metadata=desk.door.admin)
    assert (await refused(desk.get(made.name))).code is StatusCode.NOT_FOUND


async def test_a_job_ends_with_its_import(desk: Desk) -> None:
    upload = (await desk.asset()).partition("/")[2]
    core = desk.core
    accepted, refused_, deleted = [await a_job(core, UUID(upload)) for _ in range(3)]
    assert [accepted.number < refused_.number, refused_.number < deleted.number] == [True, True]
    for job in (accepted, refused_, deleted):
        assert not (await _seen(desk, job)).done
    assert accepted.task_id
    assert refused_.task_id
    assert deleted.task_id
    tasks = core.use_cases.import_tasks
    await core.complete(await tasks.get(WHO, accepted.task_id))
    await core.store(await tasks.get(WHO, refused_.task_id))
    run = await core.claim(refused_.task_id, Stage.VALIDATE)
    assert await core.use_cases.runs.report(refused_.task_id, run, Refused(problems=(PROBLEM,)))
    await tasks.delete(WHO, deleted.task_id)
    errors = [(await _seen(desk, job)).error.code for job in (accepted, refused_, deleted)]
    assert errors == ["", "subtitles_empty", "import_task_deleted"]
    seen = await _seen(desk, accepted)
    assert (seen.done, seen.HasField("error"), seen.action) == (True, False, "uploadTracks.create")
    assert (await desk.get(seen.resource)).state == ImportTask.STATE_COMPLETED
    assert (await desk.get(f"uploadTracks/{deleted.resource.id}")).state == 0

    request = jobs_pb.ListJobsRequest(filter=f"number = {accepted.number}")
    listed = await desk.jobs.ListJobs(request, metadata=desk.door.admin)
    assert (list(listed.jobs), listed.total_size) == ([seen], 1)


async def test_a_job_is_forgotten_a_week_after_its_end(desk: Desk) -> None:
    upload = (await desk.asset()).partition("/")[2]
    ended, waiting = [await a_job(desk.core, UUID(upload)) for _ in range(2)]
    assert ended.task_id
    await desk.core.use_cases.import_tasks.delete(WHO, ended.task_id)
    now = (await _seen(desk, ended)).end_time.ToDatetime(tzinfo=ended.created_at.tzinfo)
    write = desk.core.use_cases.executor.write
    assert await write(lambda t: job_rows.forget(t, now - KEPT, 9)) == 0
    assert await write(lambda t: job_rows.forget(t, now, 9)) == 1
    request = jobs_pb.ListJobsRequest()
    listed = await desk.jobs.ListJobs(request, metadata=desk.door.admin)
    assert [job.number for job in listed.jobs] == [waiting.number]
    assert listed.total_size == 1


async def _seen(desk: Desk, job: Job) -> jobs_pb.Job:
    request = jobs_pb.GetJobRequest(name=f"jobs/{job.id}")
    seen: jobs_pb.Job = await desk.jobs.GetJob(request, metadata=desk.door.admin)
    return seen
