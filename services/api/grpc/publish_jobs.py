"""stagedoor.v1.PublishJobService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.domain.lifecycle import PublicationStatus
from services.api.domain.queries import PublishJobQuery
from services.api.grpc.caller import caller
from services.api.grpc.etags import etag_of, expected
from services.api.grpc.filters import ids, numbers, parse_filter
from services.api.grpc.masks import masked, populated
from services.api.grpc.messages import timestamp
from services.api.grpc.names import PUBLISH_JOBS, name_of, require
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.publish_jobs import JobFields
from stagedoor.v1 import publish_job_service_pb2 as pb
from stagedoor.v1.publish_job_service_pb2_grpc import PublishJobServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.domain.publishing import PublishJob
    from services.api.use_cases.publish_jobs import PublishJobs

WRITABLE: Final = ("display_name", "contact_email", "oncomplete")
ORDERS: Final = ("create_time", "update_time")
_COUNTS: Final = {
    "draft_count": PublicationStatus.DRAFT,
    "queued_count": PublicationStatus.QUEUED,
    "publishing_count": PublicationStatus.PUBLISHING,
    "complete_count": PublicationStatus.PUBLISHED,
    "failed_count": PublicationStatus.PUBLISH_FAILED,
}


class PublishJobServicer(PublishJobServiceServicer):
    """Publish jobs over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, jobs: PublishJobs) -> None:
        """Serve these jobs."""
        self._jobs = jobs

    async def ListPublishJobs(
        self, request: pb.ListPublishJobsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListPublishJobsResponse:
        """Lists the caller's publish jobs, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, PUBLISH_JOBS, request.filter)
        wanted = parse_filter(request.filter, ("name", "number"))
        query = PublishJobQuery(
            ids=ids(wanted.get("name"), PUBLISH_JOBS),
            numbers=numbers(wanted.get("number")),
            **piece.slice_,
        )
        page = await self._jobs.list(who, query)
        return pb.ListPublishJobsResponse(
            publish_jobs=[_message(job) for job in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetPublishJob(
        self, request: pb.GetPublishJobRequest, context: ServicerContext[Any, Any]
    ) -> pb.PublishJob:
        """Gets one publish job."""
        return _message(await self._jobs.get(caller(), require(request.name, PUBLISH_JOBS)))

    async def EnsureDefaultPublishJob(
        self, request: pb.EnsureDefaultPublishJobRequest, context: ServicerContext[Any, Any]
    ) -> pb.PublishJob:
        """Gives the default publish job."""
        return _message(await self._jobs.default(caller()))

    async def CreatePublishJob(
        self, request: pb.CreatePublishJobRequest, context: ServicerContext[Any, Any]
    ) -> pb.PublishJob:
        """Creates a publish job."""
        given = request.publish_job
        fields = JobFields(**{name: getattr(given, name) for name in populated(given, WRITABLE)})
        return _message(await self._jobs.create(caller(), fields, options=options(request)))

    async def UpdatePublishJob(
        self, request: pb.UpdatePublishJobRequest, context: ServicerContext[Any, Any]
    ) -> pb.PublishJob:
        """Changes a publish job."""
        given = request.publish_job
        id_ = require(given.name, PUBLISH_JOBS)
        paths = masked(given, request.update_mask, WRITABLE)
        fields = JobFields(**{name: getattr(given, name) for name in paths})
        job = await self._jobs.update(
            caller(), id_, fields, version=expected(given.etag), options=options(request)
        )
        return _message(job)

    async def DeletePublishJob(
        self, request: pb.DeletePublishJobRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes a publish job with all that is in it."""
        id_ = require(request.name, PUBLISH_JOBS)
        await self._jobs.delete(caller(), id_, version=expected(request.etag))
        return Empty()

    async def RunPublishJob(
        self, request: pb.RunPublishJobRequest, context: ServicerContext[Any, Any]
    ) -> pb.PublishJob:
        """Queues the drafts of a publish job."""
        id_ = require(request.name, PUBLISH_JOBS)
        job = await self._jobs.run(
            caller(), id_, oncomplete=request.oncomplete or UNSET, options=options(request)
        )
        return _message(job)


def _message(job: PublishJob) -> pb.PublishJob:
    """The job as clients see it."""
    return pb.PublishJob(
        name=name_of(PUBLISH_JOBS, job.id),
        display_name=job.display_name,
        contact_email=job.contact_email or "",
        oncomplete=job.oncomplete or "",
        number=job.number,
        is_default=job.is_default,
        create_time=timestamp(job.created_at),
        update_time=timestamp(job.updated_at),
        etag=etag_of(job.version),
        start_time=timestamp(job.run_at) if job.run_at else None,
        **{name: job.counts[status] for name, status in _COUNTS.items()},
    )
