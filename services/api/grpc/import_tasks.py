"""stagedoor.v1.ImportTaskService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.task import DOLBY_ATMOS, Target
from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.filters import ids, parse_filter, statuses
from services.api.grpc.masks import masked, populated
from services.api.grpc.names import IMPORT_TASKS, TRACKS, require
from services.api.grpc.paging import cut, total
from services.api.grpc.streams import until
from services.api.use_cases.import_tasks import TaskFields, TaskQuery
from stagedoor.v1 import import_task_service_pb2 as pb
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceServicer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Collection

    from grpc.aio import ServicerContext

    from services.api.domain.changes import Unset
    from services.api.use_cases.import_tasks import ImportTasks

WRITABLE: Final = ("source_uri", "isrc", "target", "declared_md5")
FIXED: Final = ("master_type",)
FILTERS: Final = ("name", "state", "target")
REQUIRED: Final = ("source_uri",)
"""A task without a source needs an upload, which this door does not offer."""


class ImportTaskServicer(ImportTaskServiceServicer):
    """Import tasks over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, import_tasks: ImportTasks, stopping: asyncio.Event) -> None:
        """Serve these tasks; streams end when ``stopping`` is set."""
        self._import_tasks = import_tasks
        self._stopping = stopping

    async def ListImportTasks(
        self, request: pb.ListImportTasksRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListImportTasksResponse:
        """Lists the caller's import tasks, newest last."""
        who = caller()
        piece = cut(request, who.tenant, IMPORT_TASKS, request.filter)
        page = await self._import_tasks.list(
            who, _query(request.filter, skip=piece.skip, limit=piece.limit, after=piece.after)
        )
        return pb.ListImportTasksResponse(
            import_tasks=[messages.import_task(task) for task in page.items[: piece.size]],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetImportTask(
        self, request: pb.GetImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> pb.ImportTask:
        """Gets one import task."""
        id_ = require(request.name, IMPORT_TASKS)
        return messages.import_task(await self._import_tasks.get(caller(), id_))

    async def CreateImportTask(
        self, request: pb.CreateImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> pb.ImportTask:
        """Creates an import task; it is durable when this answers."""
        task = await self._import_tasks.create(
            caller(),
            _fields(request.import_task, populated(request.import_task, WRITABLE)),
            master_type=_master_type(request.import_task.master_type),
            required=REQUIRED,
        )
        return messages.import_task(task)

    async def UpdateImportTask(
        self, request: pb.UpdateImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> pb.ImportTask:
        """Changes an import task."""
        id_ = require(request.import_task.name, IMPORT_TASKS)
        paths = masked(request.import_task, request.update_mask, WRITABLE, FIXED)
        fields = _fields(request.import_task, paths)
        task = await self._import_tasks.update(caller(), id_, fields, required=REQUIRED)
        return messages.import_task(task)

    async def DeleteImportTask(
        self, request: pb.DeleteImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes an import task and its record."""
        await self._import_tasks.delete(caller(), require(request.name, IMPORT_TASKS))
        return Empty()

    async def RetryImportTask(
        self, request: pb.RetryImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> pb.ImportTask:
        """Starts a failed import task again as a new generation."""
        id_ = require(request.name, IMPORT_TASKS)
        return messages.import_task(await self._import_tasks.retry(caller(), id_))

    async def WatchImportTask(
        self, request: pb.WatchImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.ImportTask]:
        """Sends the import task now and at every change, until a final state."""
        watched = self._import_tasks.watch(caller(), require(request.name, IMPORT_TASKS))
        async with aclosing(until(self._stopping, watched)) as tasks:
            async for task in tasks:
                yield messages.import_task(task)


def _fields(task: pb.ImportTask, paths: Collection[str]) -> TaskFields:
    def value(field: str) -> object:
        return (getattr(task, field) or None) if field in paths else UNSET

    return TaskFields(
        source_uri=value("source_uri"),
        isrc=value("isrc"),
        declared_md5=value("declared_md5"),
        target=_target(task.target) if "target" in paths else UNSET,
    )


def _target(name: str) -> Target | Unset | None:
    return Target(TRACKS, require(name, TRACKS, "target")) if name else None


def _master_type(value: pb.ImportTask.MasterType.ValueType) -> str:
    if value in {pb.ImportTask.MASTER_TYPE_UNSPECIFIED, pb.ImportTask.MASTER_TYPE_DOLBY_ATMOS}:
        return DOLBY_ATMOS
    detail = "There is no such master type."
    raise InvalidFields(Violation("master_type", "invalid", detail))


def _query(filter_: str, **piece: Any) -> TaskQuery:
    wanted = parse_filter(filter_, FILTERS)
    return TaskQuery(
        ids=ids(wanted.get("name"), IMPORT_TASKS),
        statuses=statuses(wanted.get("state")),
        target_ids=ids(wanted.get("target"), TRACKS),
        **piece,
    )
