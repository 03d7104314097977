"""grpc.aio without a store: what the library takes for the same messages."""

from __future__ import annotations

import asyncio
import os
import sys
from uuid import uuid4

import grpc

from stagedoor.v1 import import_task_service_pb2 as messages
from stagedoor.v1 import import_task_service_pb2_grpc as services


class Tasks(services.ImportTaskServiceServicer):
    """The three calls that are compared."""

    def __init__(self) -> None:
        """Prepare a page."""
        made = [self._task(f"importTasks/{uuid4()}") for _ in range(20)]
        self._page = messages.ListImportTasksResponse(import_tasks=made, total_size=100_000)

    def _task(self, name: str, uri: str = "https://cdn.example.com/m.wav") -> messages.ImportTask:
        return messages.ImportTask(name=name, source_uri=uri, isrc="USRC17607839", attempts=2)

    async def GetImportTask(self, request, context):  # noqa: ANN001, ANN201, ARG002, N802
        """One task."""
        return self._task(request.name)

    async def ListImportTasks(self, request, context):  # noqa: ANN001, ANN201, ARG002, N802
        """A page."""
        return self._page

    async def CreateImportTask(self, request, context):  # noqa: ANN001, ANN201, ARG002, N802
        """Answer with what was asked for."""
        return self._task(f"importTasks/{uuid4()}", request.import_task.source_uri)


async def main(port: int) -> None:
    """Serve for ever."""
    server = grpc.aio.server()
    services.add_ImportTaskServiceServicer_to_server(Tasks(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if os.environ.get("LOOP") == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main(int(sys.argv[1])))
