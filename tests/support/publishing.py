"""Publish jobs, and what a publisher would report of their publications."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

from services.api.domain.lifecycle import Stage
from services.api.domain.publishing import PublishedFile
from services.api.domain.runs import Published
from services.api.use_cases.publications import PublicationFields
from services.api.use_cases.publish_jobs import JobFields
from tests.support.core import a_principal

if TYPE_CHECKING:
    from services.api.domain.principal import Principal
    from services.api.domain.publishing import Publication, PublishJob
    from services.api.domain.runs import Run
    from services.api.domain.task import Task
    from shared.blobs.base import BlobStore
    from tests.support.core import Core

BODY = b"a rendition"


async def a_job(core: Core, who: Principal | None = None, **fields: object) -> PublishJob:
    """A publish job."""
    return await core.use_cases.publish_jobs.create(who or a_principal(), JobFields(**fields))


async def a_draft(
    core: Core, job: PublishJob, task: Task | UUID, *formats: str, **metadata: str
) -> Publication:
    """A draft of a task's master."""
    fields = PublicationFields(
        job=job.id,
        import_task=task if isinstance(task, UUID) else task.id,
        formats=formats or ("mp3", "aiff"),
        metadata=metadata,
    )
    return await core.use_cases.publications.create(a_principal(job.tenant), fields)


def key_of(publication: Publication, run: Run, format_: str) -> str:
    """Where a run stores a file."""
    return f"{publication.tenant}/{publication.id}/{run.generation}/{run.id}.{format_}"


def published(
    publication: Publication, run: Run, store: BlobStore | None = None, body: bytes = BODY
) -> Published:
    """What a publisher reports; the files are stored if there is a store."""
    files = []
    for format_ in publication.formats:
        key = key_of(publication, run, format_)
        if store is not None:
            with store.create(key) as sink:
                sink.write(body)
                sink.commit()
        files.append(
            PublishedFile(
                format=format_,
                blob_key=key,
                size_bytes=len(body),
                md5=hashlib.md5(body).hexdigest(),
                sample_rate=48_000,
                channels=2,
                bit_depth=0,
                duration_seconds=1.5,
                integrated_lufs=-14.0,
                true_peak_dbtp=None,
            )
        )
    return Published(files=tuple(files))


async def publish(
    core: Core, publication: Publication, store: BlobStore | None = None
) -> Publication:
    """Run the job of a draft, and publish it."""
    who = a_principal(publication.tenant)
    await core.use_cases.publish_jobs.run(who, publication.job_id)
    run = await core.claim(publication.id, Stage.PUBLISH, publication.generation + 1)
    told = published(publication, run, store)
    assert await core.use_cases.runs.report(publication.id, run, told)
    return await core.use_cases.publications.get(who, publication.id)
