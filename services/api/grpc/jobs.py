"""stagedoor.v1.JobService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.api.domain.queries import JobQuery
from services.api.grpc.caller import caller
from services.api.grpc.filters import ids, numbers, parse_filter
from services.api.grpc.messages import problem, timestamp
from services.api.grpc.names import IMPORT_TASKS, JOBS, name_of, require
from services.api.grpc.paging import cut, total
from stagedoor.v1 import job_service_pb2 as pb
from stagedoor.v1.job_service_pb2_grpc import JobServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.domain.jobs import Job
    from services.api.use_cases.jobs import Jobs

ORDERS: Final = ("create_time",)


class JobServicer(JobServiceServicer):
    """Jobs over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, jobs: Jobs) -> None:
        """Serve these jobs."""
        self._jobs = jobs

    async def ListJobs(
        self, request: pb.ListJobsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListJobsResponse:
        """Lists the caller's jobs, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, JOBS, request.filter)
        wanted = parse_filter(request.filter, ("name", "number"))
        query = JobQuery(
            ids=ids(wanted.get("name"), JOBS),
            numbers=numbers(wanted.get("number")),
            **piece.slice_,
        )
        page = await self._jobs.list(who, query)
        return pb.ListJobsResponse(
            jobs=[_message(each) for each in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetJob(self, request: pb.GetJobRequest, context: ServicerContext[Any, Any]) -> pb.Job:
        """Gets one job."""
        return _message(await self._jobs.get(caller(), require(request.name, JOBS)))


def _message(job: Job) -> pb.Job:
    """The job as clients see it."""
    return pb.Job(
        name=name_of(JOBS, job.id),
        number=job.number,
        action=job.action,
        resource=name_of(job.resource.type, job.resource.id),
        import_task=name_of(IMPORT_TASKS, job.task_id) if job.task_id else "",
        done=job.ended_at is not None,
        error=problem(job.error) if job.error else None,
        create_time=timestamp(job.created_at),
        end_time=timestamp(job.ended_at),
    )
