"""The whole product as its users start it: ``stagedoor up``, and a client for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import grpc

from stagedoor.v1.import_task_service_pb2 import ImportTask, WatchImportTaskRequest
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from tests.support.origin import running_origin
from tests.support.ports import HOST, lasting_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from tests.support.origin import Origin

MEDIA_TYPE = "application/vnd.api+json"
START_SECONDS = 60.0
FINAL = {
    ImportTask.STATE_COMPLETED,
    ImportTask.STATE_DOWNLOAD_FAILED,
    ImportTask.STATE_VALIDATION_FAILED,
}
QUICK = {
    "STAGEDOOR_LEASE_SECONDS": "4",
    "STAGEDOOR_DISPATCH_SECONDS": "0.2",
    "STAGEDOOR_RETRY_BASE_SECONDS": "0.2",
    "STAGEDOOR_MAX_ATTEMPTS": "3",
    "STAGEDOOR_DOWNLOAD_BACKOFF_SECONDS": "0.02",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack and an origin that it trusts."""

    origin: Origin
    process: subprocess.Popen[bytes]
    ready_file: Path

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file says now."""
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    def pids(self, name: str) -> list[int]:
        """The processes of one service."""
        found = self.ready["pids"][name]
        return found if isinstance(found, list) else [found]

    def kill(self, name: str) -> None:
        """Kill the first process of a service as a crash would."""
        os.kill(self.pids(name)[0], signal.SIGKILL)


@contextmanager
def running_stack(
    folder: Path, settings: Mapping[str, str] | None = None, *arguments: str
) -> Iterator[Stack]:
    """Start everything in a folder; stop it in order, and insist that it stops well."""
    with running_origin() as origin, started_stack(origin, folder, settings, *arguments) as stack:
        yield stack


@contextmanager
def started_stack(
    origin: Origin, folder: Path, settings: Mapping[str, str] | None = None, *arguments: str
) -> Iterator[Stack]:
    """Start everything with an origin that runs already; one that was killed need not stop well."""
    ready_file, log = folder / "ready.json", folder / "log"
    ready_file.unlink(missing_ok=True)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*_command(folder, ready_file), *arguments],
            env=_environment(origin, folder, settings or {}),
            stdout=sink,
            stderr=sink,
        )
    try:
        _await_file(ready_file, process, log)
        yield Stack(origin, process, ready_file)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text(errors="replace")[-4000:]
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text(errors="replace"), log.read_text()[-8000:]


def _command(folder: Path, ready_file: Path) -> list[str]:
    stagedoor = Path(sysconfig.get_path("scripts"), "stagedoor")
    anywhere = ["--http", f"{HOST}:{lasting_port()}", "--grpc", f"{HOST}:{lasting_port()}"]
    places = ["--data-dir", str(folder / "data"), "--ready-file", str(ready_file)]
    return [sys.executable, str(stagedoor), "up", *anywhere, *places]


def _environment(origin: Origin, folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    ours = {
        "STAGEDOOR_DOWNLOAD_ALLOW_NETWORKS": "127.0.0.0/8",
        "STAGEDOOR_DOWNLOAD_ALLOW_PORTS": str(origin.port),
        "STAGEDOOR_DOWNLOAD_CA_FILE": str(origin.write_ca(folder / "ca.pem")),
    }
    return {"PATH": os.environ["PATH"], **ours, **QUICK, **settings}


def _await_file(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not path.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the stack did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)


class Client:
    """A client of both doors, as an outsider would write one."""

    def __init__(self, ready: Mapping[str, Any]) -> None:
        """Take what the ready file says."""
        self._ready = ready

    async def __aenter__(self) -> Self:
        """Open the doors."""
        headers = {
            "Authorization": f"Bearer {self._ready['token']}",
            "Content-Type": MEDIA_TYPE,
            "Accept": MEDIA_TYPE,
        }
        self._http = aiohttp.ClientSession(self._ready["http"], headers=headers)
        self._channel = grpc.aio.insecure_channel(self._ready["grpc"])
        self._tasks = ImportTaskServiceStub(self._channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._http.close()
        await self._channel.close()

    async def call(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        """One request to /api/v1; gives the status and the document."""
        body = None if document is None else json.dumps(document).encode()
        async with self._http.request(method, f"/api/v1{path}", data=body) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def track(self) -> str:
        """Make a track; gives its id."""
        document = {"data": {"type": "tracks", "attributes": {"title": "A track"}}}
        status, created = await self.call("POST", "/tracks", document)
        assert status == 201, created
        track_id: str = created["data"]["id"]
        return track_id

    async def create(self, url: str, isrc: str, **attributes: str) -> tuple[int, Any]:
        """Ask for an import into a new track, as the published document writes it."""
        linkage = {"data": {"type": "tracks", "id": await self.track()}}
        document = {
            "data": {
                "type": "atmos-import-tasks",
                "attributes": {"url": url, "secondaryIsrc": isrc, **attributes},
                "relationships": {"track": linkage},
            }
        }
        return await self.call("POST", "/atmos-import-tasks", document)

    async def start(self, url: str, isrc: str, **attributes: str) -> str:
        """Start an import that must be taken; gives its id."""
        status, created = await self.create(url, isrc, **attributes)
        assert status == 201, created
        task_id: str = created["data"]["id"]
        return task_id

    async def states(self, task_id: str) -> AsyncIterator[ImportTask]:
        """Each state that the watch shows, over any loss of the connection."""
        request = WatchImportTaskRequest(name=f"importTasks/{task_id}")
        metadata = (("authorization", f"Bearer {self._ready['token']}"),)
        while True:
            watch = self._tasks.WatchImportTask(request, metadata=metadata, wait_for_ready=True)
            with suppress(grpc.aio.AioRpcError):
                async for task in watch:
                    yield task
                    if task.state in FINAL:
                        return
            await asyncio.sleep(0.1)

    async def until(self, task_id: str, *states: ImportTask.State.ValueType) -> ImportTask:
        """The first seen task in one of these states, or at its end."""
        async with asyncio.timeout(90):
            async for task in self.states(task_id):
                if task.state in {*states, *FINAL}:
                    return task
        raise AssertionError("the watch ended before the task did")

    async def finish(self, url: str, isrc: str, **attributes: str) -> Any:
        """Import to the end; gives the finished resource."""
        task_id = await self.start(url, isrc, **attributes)
        await self.until(task_id)
        _, document = await self.call("GET", f"/atmos-import-tasks/{task_id}")
        return document["data"]
