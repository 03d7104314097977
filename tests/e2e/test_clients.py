"""JSON:API clients that nobody here wrote live through a task: kitsu, devour, jsonapi-client."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from jsonapi_client import Filter, Inclusion, Modifier, Session  # type: ignore[import-untyped]
from jsonapi_client.exceptions import DocumentError  # type: ignore[import-untyped]

from tests.e2e.clients.install import HERE, NODE, installed
from tests.support import replies
from tests.support.media import eac3, mp4

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.stack import Stack

pytestmark = pytest.mark.long
MASTER = mp4.plain(mp4.Track(frames=eac3.joc_frames(40), config=mp4.dec3()))
NODE_SECONDS = 60
TASKS = "atmos-import-tasks"
SCHEMA = {
    "tracks": {"properties": {"title": {"type": "string"}}},
    TASKS: {
        "properties": {
            "url": {"type": "string"},
            "secondaryIsrc": {"type": "string"},
            "track": {"relation": "to-one", "resource": ["tracks"]},
        }
    },
}


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The folder in which programs for Node find the clients."""
    return installed()


def test_the_lock_leaves_it_to_npm_where_packages_come_from() -> None:
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]
    packages = [package for name, package in locked.items() if name]
    assert all("integrity" in package for package in packages)
    assert not any("resolved" in package for package in packages)


@pytest.mark.parametrize("name", ["kitsu", "devour"])
def test_a_client_for_javascript_lists_creates_follows_updates_and_deletes(
    name: str, stack: Stack, node_modules: Path, new_isrc: Callable[[], str]
) -> None:
    first, second = _masters(stack, name)
    base = f"{stack.ready['http']}/api/v1"
    arguments = (base, stack.ready["token"], first, second, new_isrc())
    seen = _run(HERE / f"{name}.mjs", node_modules, *arguments)
    task = seen["created"]
    assert task["status"] == "pending"
    assert seen["listed"] == {"ids": [task["id"]], "total": 1}
    assert seen["got"] == first
    assert seen["followed"] == {"id": seen["track"], "title": f"A track for {name}"}
    assert seen["included"] == seen["followed"]["title"]
    assert seen["updated"] == second
    assert seen["gone"] == "404"
    assert "/data/attributes/url" in seen["refused"]


async def test_jsonapi_client_for_python_lists_creates_follows_updates_and_deletes(
    stack: Stack, new_isrc: Callable[[], str]
) -> None:
    first, second = _masters(stack, "python")
    async with _session(stack) as session:
        track = session.create("tracks", title="A track for Python")
        await track.commit()
        task = session.create(TASKS, url=first, secondaryIsrc=new_isrc(), track=track)
        await task.commit()
        assert task.meta.generation == 1
        wanted = Filter(track_id=track.id) + Modifier("page[size]=5")
        listed = [each async for each in session.iterate(TASKS, wanted)]
        assert [each.id for each in listed] == [task.id]
        document = await session.get(f"{TASKS}/{task.id}", Inclusion("track"))
        assert [each.title for each in document.included] == ["A track for Python"]
        followed = await task.relationships.track.fetch()
        assert [each.title for each in followed] == ["A track for Python"]
        task.attributes["url"] = second
        await task.commit()
        await task.refresh()
        assert task.attributes["url"] == second
        task.delete()
        await task.commit()
    # The session that deleted it still has it in its cache.
    async with _session(stack) as session:
        with pytest.raises(DocumentError) as gone:
            await session.get(TASKS, task.id)
        assert gone.value.errors == {"status_code": 404}


def _session(stack: Stack) -> Any:
    """A session in asynchronous mode: the other one takes an empty 204 for broken JSON."""
    headers = {"Authorization": f"Bearer {stack.ready['token']}"}
    return Session(
        f"{stack.ready['http']}/api/v1",
        enable_async=True,
        schema=SCHEMA,
        request_kwargs={"headers": headers},
    )


def _masters(stack: Stack, name: str) -> tuple[str, str]:
    """Two URLs of one master."""
    first, second = f"/{name}/1.mp4", f"/{name}/2.mp4"
    return (
        stack.origin.serve(first, replies.file(MASTER)),
        stack.origin.serve(second, replies.file(MASTER)),
    )


def _run(script: Path, folder: Path, *arguments: str) -> Any:
    """What a program prints; it is read from standard input to find modules in the folder."""
    done = subprocess.run(
        [NODE, "--input-type=module", "-", *arguments],
        cwd=folder,
        input=script.read_bytes(),
        capture_output=True,
        timeout=NODE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
