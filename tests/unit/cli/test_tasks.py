"""``stagedoor import`` and ``stagedoor tasks`` against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Refused, error
from services.api.domain.task import Target
from tests.support.core import MD5, a_principal

if TYPE_CHECKING:
    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.unit.cli.conftest import Stagedoor

URL = "https://cdn.example.com/master.wav"
ISRC = "USRC12345678"


async def current(core: Core, id_: UUID) -> Task:
    return await core.use_cases.import_tasks.get(a_principal(), id_)


async def fail(core: Core, task: Task) -> None:
    """Let the task's download fail for good."""
    run = await core.claim(task.id, Stage.DOWNLOAD, task.generation)
    problem = error("http_status", "The origin answered 404.", measured="404", allowed="200")
    await core.use_cases.runs.report(task.id, run, Refused(problems=(problem,)))


async def test_import_makes_a_task(stagedoor: Stagedoor, core: Core) -> None:
    track = await core.track()
    options = ("--isrc", ISRC, "--track", str(track.id), "--md5", MD5)
    result = await stagedoor("import", URL, *options, "--json")
    assert (result.code, result.err) == (0, [])
    answer = json.loads("\n".join(result.out))
    task = await current(core, uuid_of(answer["name"]))
    assert (task.source_uri, task.isrc, task.declared_md5) == (URL, ISRC, MD5)
    assert task.target == Target("tracks", track.id)
    assert answer["state"] == "STATE_PENDING"


async def test_import_says_what_is_wrong(stagedoor: Stagedoor, core: Core) -> None:
    track = await core.track()
    result = await stagedoor("import", "http://x.example/", "--isrc", "x", "--track", str(track.id))
    assert (result.code, result.out, len(result.err)) == (1, [], 1)
    assert result.err[0].startswith("error: INVALID_FIELD: ")


async def test_list_shows_the_tasks(stagedoor: Stagedoor, core: Core) -> None:
    tasks = [await core.task(f"USRC1234567{n}") for n in range(3)]
    result = await stagedoor("tasks", "list")
    assert (result.code, result.err) == (0, [])
    assert result.out[0].split() == ["TASK", "STATUS", "ISRC", "TARGET", "UPDATED"]
    assert [line.split()[:3] for line in result.out[1:]] == [
        [str(task.id), "pending", task.isrc] for task in tasks
    ]


async def test_list_has_pages_and_filters(stagedoor: Stagedoor, core: Core) -> None:
    one, two, three = [await core.task(f"USRC1234567{n}") for n in range(3)]
    await core.claim(two.id, Stage.DOWNLOAD)
    first = await stagedoor("tasks", "list", "--status", "pending", "--page-size", "1")
    assert [line.split()[0] for line in first.out[1:2]] == [str(one.id)]
    more = first.out[-1].removeprefix("more: ").split()
    second = await stagedoor("tasks", "list", "--status", "pending", *more)
    assert [line.split()[0] for line in second.out[1:]] == [str(three.id)]

    assert two.target is not None
    options = ("--status", "downloading", "--status", "pending", "--track", str(two.target.id))
    found = json.loads("\n".join((await stagedoor("tasks", "list", *options, "--json")).out))
    assert [task["name"] for task in found["importTasks"]] == [f"importTasks/{two.id}"]
    assert (found["totalSize"], found["nextPageToken"]) == (1, "")


async def test_list_refuses_a_status_that_does_not_exist(stagedoor: Stagedoor) -> None:
    result = await stagedoor("tasks", "list", "--status", 'x" OR state = "PENDING')
    assert result.code == 1
    assert result.err[0].startswith("error: INVALID_QUERY: There is no state")


async def test_get_shows_everything_that_is_known(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.complete(await core.task())
    result = await stagedoor("tasks", "get", str(task.id))
    shown = {line[:13].strip(): line[13:].strip() for line in result.out}
    assert shown["status"] == "completed"
    assert shown["record"] == f"records/{task.record_id}"
    assert (shown["bytes"], shown["actual md5"]) == ("1000", MD5)
    assert "declared md5" not in shown

    as_json = await stagedoor("tasks", "get", f"importTasks/{task.id}", "--json")
    assert json.loads("\n".join(as_json.out))["sizeBytes"] == "1000"


async def test_get_shows_problems(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    await fail(core, task)
    result = await stagedoor("tasks", "get", str(task.id))
    assert result.code == 0
    assert result.out[-1] == (
        "error http_status: The origin answered 404. (measured 404; allowed 200)"
    )


async def test_retry_and_delete(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.task()
    await fail(core, task)
    assert (await stagedoor("tasks", "retry", str(task.id))).code == 0
    assert (await current(core, task.id)).generation == 2

    assert (await stagedoor("tasks", "delete", str(task.id))).code == 0
    gone = await stagedoor("tasks", "get", str(task.id))
    assert (gone.code, gone.err) == (
        1,
        [f"error: NOT_FOUND: There is no importTasks/{task.id}."],
    )


def uuid_of(name: str) -> UUID:
    return UUID(name.removeprefix("importTasks/"))
