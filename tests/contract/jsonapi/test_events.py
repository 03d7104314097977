"""Following tasks by Server-Sent Events."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import ClientSession

from services.api.domain.lifecycle import Stage
from services.api.domain.principal import SCOPES
from services.api.http.jsonapi import events
from services.api.http.server import make_app, serve
from tests.support.core import a_principal
from tests.support.jsonapi import MEDIA_TYPE, Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

    from services.api.domain.task import Task
    from tests.support.core import Core

TASKS = "/atmos-import-tasks"
EVENTS = "text/event-stream"


@asynccontextmanager
async def _open(client: Client, path: str, **headers: str) -> AsyncIterator[ClientResponse]:
    sent = {"Accept": EVENTS, "Authorization": f"Bearer {client.token}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.session.get(f"/api/v1{path}", headers=sent) as response:
        if response.status == 200:
            assert response.headers["Content-Type"] == EVENTS
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Accel-Buffering"] == "no"
            assert response.headers["Vary"] == "Accept"
            assert await response.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
        yield response


async def _next(response: ClientResponse) -> dict[str, Any] | None:
    """The next event, its data decoded; None at the end of the stream."""
    raw = await response.content.readuntil(b"\n\n")
    if not raw:
        return None
    lines = [line.split(": ", 1) for line in raw.decode().strip().split("\n")]
    event: dict[str, Any] = dict(lines)
    if "data" in event:
        event["data"] = msgspec.json.decode(event["data"])
    return event


def _status(event: dict[str, Any] | None) -> str:
    assert event is not None
    return str(event["data"]["data"]["attributes"]["status"])


async def _latest(core: Core, task: Task) -> Task:
    return await core.use_cases.import_tasks.get(a_principal(), task.id)


# One task


async def test_a_task_to_its_end(client: Client, core: Core) -> None:
    task = await core.task()
    path = f"{TASKS}/{task.id}"
    async with _open(client, f"{path}/events") as stream:
        first = await _next(stream)
        assert first is not None
        assert first["id"] == str(task.version)
        assert first["data"] == (await client.get(path)).document
        await core.complete(task)
        seen = [first]
        while (event := await _next(stream)) is not None:
            seen.append(event)
    assert _status(seen[-1]) == "completed"
    assert seen[-1]["data"] == (await client.get(path)).document
    async with _open(client, f"{path}/events", Last_Event_ID=seen[-1]["id"]) as again:
        assert again.status == 204, "a client that has seen the end does not come back"
    async with _open(client, f"{path}/events", Last_Event_ID="1") as again:
        assert _status(await _next(again)) == "completed"


async def test_a_client_that_lost_the_stream_of_a_running_task(client: Client, core: Core) -> None:
    task = await core.task()
    path = f"{TASKS}/{task.id}/events"
    async with _open(client, path, Last_Event_ID=str(task.version)) as stream:
        assert stream.status == 200
        assert _status(await _next(stream)) == "pending"


async def test_progress_is_told(client: Client, core: Core) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    async with _open(client, f"{TASKS}/{task.id}/events") as stream:
        await _next(stream)
        await core.use_cases.runs.progress(task.id, run, 5, 10)
        event = await _next(stream)
    assert event is not None
    assert event["data"]["data"]["meta"]["progress"]["doneBytes"] == 5


async def test_a_task_that_is_deleted(client: Client, core: Core) -> None:
    task = await core.task()
    async with _open(client, f"{TASKS}/{task.id}/events") as stream:
        await _next(stream)
        await core.claim(task.id, Stage.DOWNLOAD)
        last = await _next(stream)
        assert last is not None
        await client.delete(f"{TASKS}/{task.id}")
        assert await _next(stream) == {
            "event": "deleted",
            "id": last["id"],
            "data": {"data": {"type": "atmos-import-tasks", "id": str(task.id)}},
        }
        assert await _next(stream) is None


# All tasks


async def test_all_changes_of_a_tenant(client: Client, core: Core) -> None:
    await core.task()
    async with _open(client, "/events") as stream:
        other = await core.task(who=a_principal("other"))
        task = await core.task()
        first = await _next(stream)
        assert first is not None
        assert first["data"] == (await client.get(f"{TASKS}/{task.id}")).document
        await client.delete(f"{TASKS}/{task.id}")
        gone = await _next(stream)
        assert gone is not None
        assert gone["event"] == "deleted"
        assert gone["data"] == {"data": {"type": "atmos-import-tasks", "id": str(task.id)}}
    assert other.id != task.id


async def test_going_on_after_the_last_event(client: Client, core: Core) -> None:
    async with _open(client, "/events") as stream:
        first = await core.task()
        event = await _next(stream)
    assert event is not None
    assert event["data"]["data"]["id"] == str(first.id)
    missed = await core.task()
    async with _open(client, "/events", Last_Event_ID=event["id"]) as stream:
        seen = set()
        while str(missed.id) not in seen:
            again = await _next(stream)
            assert again is not None
            seen.add(again["data"]["data"]["id"])


@pytest.mark.parametrize("cursor", ["x", "2026-01-01_x", "2026-01-01T00:00:00_"])
async def test_an_event_id_that_is_none(client: Client, cursor: str) -> None:
    async with _open(client, "/events", Last_Event_ID=cursor) as stream:
        assert stream.status == 400
        assert stream.headers["Content-Type"] == MEDIA_TYPE
        [error] = msgspec.json.decode(await stream.read())["errors"]
    assert error["source"] == {"header": "Last-Event-ID"}


# Who and how


async def test_what_cannot_be_followed(client: Client, core: Core) -> None:
    task = await core.task()
    tokens = core.use_cases.tokens
    other = Client(client.session, await tokens.issue("other", "test", SCOPES))
    reader = Client(client.session, await tokens.issue("default", "test", ["tracks:read"]))
    paths = (f"{TASKS}/{task.id}/events", "/events")
    for asker, statuses in ((other, (404, 200)), (reader, (403, 403))):
        for path, status in zip(paths, statuses, strict=True):
            async with _open(asker, path) as stream:
                assert stream.status == status
    for path in paths:
        async with _open(client, f"{path}?foo=1") as stream:
            assert stream.status == 400
        for accept, status in (("*/*", 200), ("text/*", 200), (MEDIA_TYPE, 406)):
            async with _open(client, path, Accept=accept) as stream:
                assert stream.status == status


async def test_a_silent_stream_shows_that_it_is_alive(
    client: Client, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    async with _open(client, "/events") as stream:
        for _ in range(3):
            assert await stream.content.readuntil(b"\n\n") == b": alive\n\n"
        task = await core.task()
        raw = b""
        while not raw.startswith(b"id: "):
            raw = await stream.content.readuntil(b"\n\n")
        assert str(task.id).encode() in raw


async def test_a_stream_ends_for_the_client_to_prove_itself_anew(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(events, "LIFE_SECONDS", 0.05)
    async with _open(client, "/events") as stream:
        async with asyncio.timeout(5):
            await stream.content.read()
        assert stream.content.at_eof()


async def _ready() -> bool:
    return True


async def test_streams_end_when_the_server_stops(core: Core) -> None:
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    task = await core.task()
    app = make_app(core.use_cases, public_url=None, ready=_ready)
    runner, port = await serve(app, "127.0.0.1", 0)
    async with ClientSession(f"http://127.0.0.1:{port}") as session:
        client = Client(session, token)
        async with (
            _open(client, "/events") as every,
            _open(client, f"{TASKS}/{task.id}/events") as one,
            asyncio.timeout(5),
        ):
            await _next(one)
            await asyncio.gather(runner.cleanup(), every.content.read(), one.content.read())


async def test_a_client_that_goes_away(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    before = asyncio.all_tasks()
    async with _open(client, "/events") as stream:
        following = {task for task in asyncio.all_tasks() - before if not task.done()}
        assert following
        stream.close()
    async with asyncio.timeout(5):
        await asyncio.wait(following)
    captured = capsys.readouterr()
    assert "failed" not in captured.out + captured.err
