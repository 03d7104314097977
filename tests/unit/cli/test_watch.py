"""``--watch`` and ``stagedoor tasks watch``: to the end, on a terminal too, past a restart."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Stage
from services.api.domain.queries import TaskQuery
from services.api.domain.runs import Failed, Refused, error
from services.api.grpc.server import serve
from services.api.signals import tenant_topic
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import MD5, a_principal

if TYPE_CHECKING:
    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.support.door import Door
    from tests.unit.cli.conftest import Stagedoor

URL = "https://cdn.example.com/master.wav"
QUERY = TaskQuery()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()


async def until(terminal: int, text: bytes) -> bytes:
    """What a terminal shows, until it shows the text."""
    shown = b""
    async with asyncio.timeout(20):
        while text not in shown:
            shown += await readable(terminal)
    return shown


async def readable(terminal: int) -> bytes:
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        loop.remove_reader(terminal)
        came.set_result(os.read(terminal, 4096))

    loop.add_reader(terminal, read)
    return await came


async def until_watched(core: Core) -> None:
    """Until somebody waits for the changes of the tenant."""
    async with asyncio.timeout(20):
        while tenant_topic("default") not in core.signals._subscribers:  # noqa: ASYNC110, SLF001 - nobody tells
            await asyncio.sleep(0.01)


async def fail(core: Core, task: Task) -> None:
    await core.store(task)
    run = await core.claim(task.id, Stage.VALIDATE, task.generation)
    problems = (error("no_atmos", "This is plain E-AC-3."), error("other", "And more."))
    await core.use_cases.runs.report(task.id, run, Refused(problems=problems))


async def test_import_watches_to_the_record(stagedoor: Stagedoor, core: Core) -> None:
    track = await core.track()
    process = await stagedoor.start(
        "import", URL, "--isrc", "USRC12345678", "--track", str(track.id), "--watch"
    )
    name = await line_of(process)
    assert await line_of(process) == "pending"
    [task] = (await core.use_cases.import_tasks.list(a_principal(), QUERY)).items
    assert name == f"importTasks/{task.id}"
    done = await core.complete(task)
    result = await stagedoor.end_of(process)
    assert result.code == 0
    assert result.out[-2:] == ["completed", f"records/{done.record_id}"]


async def test_a_failure_is_exit_code_1_with_its_problems(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    await fail(core, task)
    result = await stagedoor("tasks", "watch", str(task.id))
    assert (result.code, result.out) == (
        1,
        [
            "validation_failed",
            "error no_atmos: This is plain E-AC-3.",
            "error other: And more.",
        ],
    )


async def test_a_failed_attempt_is_told(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    process = await stagedoor.start("tasks", "watch", str(task.id))
    await line_of(process)
    run = await core.claim(task.id, Stage.DOWNLOAD)
    failed = Failed(problem=error("timeout", "The origin went silent."))
    await core.use_cases.runs.report(task.id, run, failed)
    # States may be skipped: this one must have been seen before there is another.
    while (line := await line_of(process)) != "will retry: error timeout: The origin went silent.":
        assert line
    await core.use_cases.import_tasks.update(a_principal(), task.id, TaskFields(declared_md5=MD5))
    await core.complete(await core.use_cases.import_tasks.get(a_principal(), task.id))
    result = await stagedoor.end_of(process)
    assert result.code == 0


async def test_json_is_one_line_for_each_change(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    process = await stagedoor.start("tasks", "watch", str(task.id), "--json")
    assert json.loads(await line_of(process))["state"] == "STATE_PENDING"
    await core.complete(task)
    result = await stagedoor.end_of(process)
    assert result.code == 0
    assert json.loads(result.out[-1])["state"] == "STATE_COMPLETED"


async def test_it_waits_for_a_server_that_restarts(
    stagedoor: Stagedoor, door: Door, core: Core
) -> None:
    task = await core.task()
    process = await stagedoor.start("tasks", "watch", str(task.id), "--json")
    before = await line_of(process)
    await door.server.stop(grace=0)
    again = await serve(core.use_cases, door.address)
    await core.complete(task)
    result = await stagedoor.end_of(process)
    await again.stop(grace=0)
    assert result.code == 0
    assert before not in result.out
    assert json.loads(result.out[-1])["state"] == "STATE_COMPLETED"


async def test_a_deleted_task_ends_it(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    process = await stagedoor.start("tasks", "watch", str(task.id))
    await line_of(process)
    await core.use_cases.import_tasks.delete(a_principal(), task.id)
    result = await stagedoor.end_of(process)
    assert (result.code, result.err) == (
        1,
        [f"error: NOT_FOUND: There is no importTasks/{task.id}."],
    )


async def test_ctrl_c_ends_it_quietly(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    process = await stagedoor.start("tasks", "watch", str(task.id))
    await line_of(process)
    process.send_signal(signal.SIGINT)
    result = await stagedoor.end_of(process)
    assert (result.code, result.out, result.err) == (130, [], [])


async def test_a_terminal_shows_a_bar(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    await core.use_cases.runs.progress(task.id, run, 500_000, 1_000_000)
    ours, theirs = pty.openpty()
    process = await stagedoor.start(
        "tasks", "watch", str(task.id), output=theirs, environ={"TERM": "xterm", "COLUMNS": "100"}
    )
    os.close(theirs)
    assert b"downloading" in await until(ours, b"0.5/1.0 MB")
    await core.use_cases.import_tasks.delete(a_principal(), task.id)
    await until(ours, b"NOT_FOUND")
    assert await asyncio.wait_for(process.wait(), 20) == 1
    os.close(ours)


async def test_without_a_task_all_are_followed_past_a_restart(
    stagedoor: Stagedoor, door: Door, core: Core
) -> None:
    process = await stagedoor.start("tasks", "watch")
    await until_watched(core)
    task = await core.task()
    assert await line_of(process) == f"importTasks/{task.id}  pending"
    await door.server.stop(grace=0)
    await core.store(task)
    again = await serve(core.use_cases, door.address)
    lines = [await line_of(process)]
    while not lines[-1].endswith("downloaded"):
        lines.append(await line_of(process))
    await core.use_cases.import_tasks.delete(a_principal(), task.id)
    assert await line_of(process) == f"importTasks/{task.id}  deleted"
    process.send_signal(signal.SIGINT)
    result = await stagedoor.end_of(process)
    await again.stop(grace=0)
    assert (result.code, result.err) == (130, [])


async def test_all_are_followed_as_json_too(stagedoor: Stagedoor, core: Core) -> None:
    process = await stagedoor.start("tasks", "watch", "--json")
    await until_watched(core)
    task = await core.task()
    change = json.loads(await line_of(process))
    assert change["importTask"]["name"] == f"importTasks/{task.id}"
    assert change["cursor"]
    process.send_signal(signal.SIGINT)
    await stagedoor.end_of(process)
