"""stagedoor.v1.ImportTaskService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.domain.errors import OperationRefused, Refusal
from services.api.domain.nouns import DISTRIBUTORS, PRODUCTS, TARGETS
from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.etags import expected
from services.api.grpc.filters import ids, numbers, parse_filter, statuses
from services.api.grpc.masks import masked, populated
from services.api.grpc.names import IMPORT_TASKS, UPLOADS, require, require_target
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.grpc.streams import until
from services.api.use_cases.import_tasks import TaskFields, TaskQuery
from stagedoor.v1 import import_task_service_pb2 as pb
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceServicer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Collection

    from grpc.aio import ServicerContext

    from services.api.use_cases.import_tasks import ImportTasks
    from services.api.use_cases.watching import Watching

WRITABLE: Final = (
    "source_uri",
    "isrc",
    "target",
    "declared_md5",
    "delivery_profile",
    "priority",
    "precision",
)
FIXED: Final = ("master_type", "source_upload")
INPUT_ONLY: Final = ("source_headers",)
FILTERS: Final = ("distributor", "name", "number", "product", "state", "target")
ORDERS: Final = ("create_time", "update_time", "state")
REQUIRED: Final = ("source_uri",)
"""Unless the task has an upload."""


class ImportTaskServicer(ImportTaskServiceServicer):
    """Import tasks over gRPC; raises refusals, which the interceptors render."""

    def __init__(
        self, import_tasks: ImportTasks, watching: Watching, stopping: asyncio.Event
    ) -> None:
        """Serve these tasks; streams end when ``stopping`` is set."""
        self._import_tasks = import_tasks
        self._watching = watching
        self._stopping = stopping

    async def ListImportTasks(
        self, request: pb.ListImportTasksRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListImportTasksResponse:
        """Lists the caller's import tasks, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, IMPORT_TASKS, request.filter)
        page = await self._import_tasks.list(who, _query(request.filter, **piece.slice_))
        return pb.ListImportTasksResponse(
            import_tasks=[messages.import_task(task) for task in page.items],
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
            new_task(request.import_task),
            required=REQUIRED,
            options=options(request),
        )
        return messages.import_task(task)

    async def BatchCreateImportTasks(
        self, request: pb.BatchCreateImportTasksRequest, context: ServicerContext[Any, Any]
    ) -> pb.BatchCreateImportTasksResponse:
        """Creates several import tasks, all or none of them."""
        tasks = await self._import_tasks.batch_create(
            caller(),
            [_new_of_several(index, each) for index, each in enumerate(request.requests)],
            required=REQUIRED,
            options=options(request),
        )
        return pb.BatchCreateImportTasksResponse(
            import_tasks=[messages.import_task(task) for task in tasks]
        )

    async def UpdateImportTask(
        self, request: pb.UpdateImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> pb.ImportTask:
        """Changes an import task."""
        id_ = require(request.import_task.name, IMPORT_TASKS)
        paths = masked(request.import_task, request.update_mask, WRITABLE, (*FIXED, *INPUT_ONLY))
        fields = _fields(request.import_task, paths)
        task = await self._import_tasks.update(
            caller(),
            id_,
            fields,
            required=REQUIRED,
            version=expected(request.import_task.etag),
            options=options(request),
        )
        return messages.import_task(task)

    async def DeleteImportTask(
        self, request: pb.DeleteImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes an import task and its record."""
        id_ = require(request.name, IMPORT_TASKS)
        await self._import_tasks.delete(caller(), id_, version=expected(request.etag))
        return Empty()

    async def RetryImportTask(
        self, request: pb.RetryImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> pb.ImportTask:
        """Starts a failed import task again as a new generation."""
        id_ = require(request.name, IMPORT_TASKS)
        version = expected(request.etag)
        task = await self._import_tasks.retry(
            caller(), id_, version=version, options=options(request)
        )
        return messages.import_task(task)

    async def WatchImportTask(
        self, request: pb.WatchImportTaskRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.ImportTask]:
        """Sends the import task now and at every change, until a final state."""
        watched = self._watching.watch(caller(), require(request.name, IMPORT_TASKS))
        async with aclosing(until(self._stopping, watched)) as tasks:
            async for task in tasks:
                yield messages.import_task(task)

    async def WatchImportTasks(
        self, request: pb.WatchImportTasksRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.WatchImportTasksResponse]:
        """Sends every change of the caller's import tasks, from now on or from a cursor."""
        watched = self._watching.changes(caller(), request.cursor or None)
        # At once, so that a client knows that from now on it will be told.
        await context.send_initial_metadata(())
        async with aclosing(until(self._stopping, watched)) as changes:
            async for change in changes:
                yield messages.change(change)


def new_task(given: pb.ImportTask) -> TaskFields:
    """What a request says of a new import task. Raises InvalidFields."""
    return _fields(given, populated(given, (*WRITABLE, *FIXED, *INPUT_ONLY)))


def _new_of_several(index: int, request: pb.CreateImportTaskRequest) -> TaskFields:
    try:
        return new_task(request.import_task)
    except Refusal as refusal:
        raise OperationRefused(index, refusal) from refusal


def _fields(task: pb.ImportTask, paths: Collection[str]) -> TaskFields:
    def value(field: str) -> object:
        return (getattr(task, field) or None) if field in paths else UNSET

    return TaskFields(
        source_uri=value("source_uri"),
        isrc=value("isrc"),
        declared_md5=value("declared_md5"),
        target=(require_target(task.target, "target") if task.target else None)
        if "target" in paths
        else UNSET,
        delivery_profile=value("delivery_profile"),
        priority=messages.priority(task.priority) if "priority" in paths else UNSET,
        precision=value("precision"),
        master_type=messages.master_type(task.master_type) if "master_type" in paths else UNSET,
        source_upload=(require(task.source_upload, UPLOADS, "source_upload"))
        if "source_upload" in paths and task.source_upload
        else UNSET,
        # In an order that is the same each time: a repeated request must look the same.
        source_headers=dict(sorted(task.source_headers.items()))
        if "source_headers" in paths
        else UNSET,
    )


def _query(filter_: str, **piece: Any) -> TaskQuery:
    wanted = parse_filter(filter_, FILTERS)
    return TaskQuery(
        ids=ids(wanted.get("name"), IMPORT_TASKS),
        statuses=statuses(wanted.get("state")),
        target_ids=ids(wanted.get("target"), *TARGETS),
        products=ids(wanted.get("product"), PRODUCTS.collection),
        distributors=ids(wanted.get("distributor"), DISTRIBUTORS.collection),
        numbers=numbers(wanted.get("number")),
        **piece,
    )
