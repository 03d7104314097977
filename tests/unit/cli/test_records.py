"""``stagedoor records``: the bytes of a record, by the real command from real servers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from aiohttp import web

from services.api.http.server import make_app, serve
from shared.blobs.local import LocalStore
from tests.support.core import open_core
from tests.support.door import open_door
from tests.support.links import BYTES, stored
from tests.unit.cli.conftest import Stagedoor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from tests.support.core import Core


@dataclass(frozen=True)
class Both:
    """The command, what it reaches, and a record there."""

    command: Stagedoor
    core: Core
    record: UUID
    url: str

    @property
    def folder(self) -> Path:
        """Where the command runs."""
        return self.command.folder

    @property
    def files(self) -> set[str]:
        """What is in there."""
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
async def both(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Both]:
    """Both doors, and the command in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    async with open_core(sqlite_url, store=LocalStore(tmp_path / "blobs")) as core:
        app = make_app(core.use_cases, public_url=None, ready=core.use_cases.ready)
        runner, port = await serve(app, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{port}"
        async with open_door(replace(core, use_cases=core.use_cases.reached_at(url))) as door:
            environ = {"STAGEDOOR_SERVER": door.address, "STAGEDOOR_TOKEN": door.token}
            yield Both(Stagedoor(folder, environ), core, await stored(core), url)
        await runner.cleanup()


async def test_the_bytes_come_into_a_file_named_by_the_server(both: Both) -> None:
    for name in (str(both.record), f"records/{both.record}"):
        done = await both.command("records", "download", name)
        assert (done.code, done.out, done.err) == (0, ["USRC12345678.wav"], [])
        assert both.files == {"USRC12345678.wav"}
        assert (both.folder / "USRC12345678.wav").read_bytes() == BYTES
        (both.folder / "USRC12345678.wav").unlink()


async def test_what_is_there_is_replaced_only_when_named(both: Both) -> None:
    file = both.folder / "USRC12345678.wav"
    file.write_bytes(b"mine")
    refused = await both.command("records", "download", str(both.record))
    message = "error: FILE_EXISTS: USRC12345678.wav is there already; say where to with -o."
    assert (refused.code, refused.err, file.read_bytes()) == (1, [message], b"mine")
    done = await both.command("records", "download", str(both.record), "-o", str(file))
    assert (done.code, done.out, file.read_bytes()) == (0, [str(file)], BYTES)
    assert both.files == {file.name}


async def test_a_link_is_printed(both: Both) -> None:
    made = await both.command("records", "link", str(both.record), "--ttl", "60")
    assert (made.code, len(made.out)) == (0, 1)
    assert made.out[0].startswith(f"{both.url}/files/{both.record}?expires=")
    refused = await both.command("records", "link", str(both.record), "--ttl", "59")
    assert (refused.code, refused.out) == (1, [])
    assert refused.err[0].startswith("error: INVALID_FIELD: A link lasts 60 seconds")


async def test_what_is_not_there(both: Both, tmp_path: Path) -> None:
    unknown = uuid4()
    refused = await both.command("records", "download", str(unknown))
    assert refused.err == [f"error: NOT_FOUND: There is no records/{unknown}."]
    nowhere = await both.command("records", "download", str(both.record), "-o", "no/such/folder")
    assert (nowhere.code, nowhere.err[0].split(":")[1]) == (1, " DOWNLOAD_FAILED")
    store = LocalStore(tmp_path / "blobs")
    for key in [blob.key async for blob in store.keys("default")]:
        await store.delete(key)
    gone = await both.command("records", "download", str(both.record))
    assert gone.err == ["error: DOWNLOAD_FAILED: The server of the link answers 404."]
    assert both.files == set()


@pytest.mark.parametrize(
    ("body", "status", "disposition", "reason"),
    [
        (BYTES[:-1], 200, "", "DOWNLOAD_BROKEN"),
        (BYTES[:-1] + b"\0", 200, 'attachment; filename="x.wav"', "DOWNLOAD_BROKEN"),
        (b'{"errors":[{"code":"link_expired"}]}', 403, "", "LINK_EXPIRED"),
        (b"[]", 403, "", "DOWNLOAD_FAILED"),
        (BYTES, 200, 'attachment; filename="../x.wav"', ""),
        (BYTES, 200, 'attachment; filename=".profile"', ""),
    ],
)
async def test_no_server_is_believed(
    both: Both, body: bytes, status: int, disposition: str, reason: str
) -> None:
    """A link may lead to a store of another vendor."""

    async def answer(_: web.Request) -> web.Response:
        headers = {"Content-Disposition": disposition} if disposition else {}
        return web.Response(body=body, status=status, headers=headers)

    app = web.Application()
    app.router.add_get("/files/{id}", answer)
    runner, port = await serve(app, "127.0.0.1", 0)
    elsewhere = both.core.use_cases.reached_at(f"http://127.0.0.1:{port}")
    async with open_door(replace(both.core, use_cases=elsewhere)) as door:
        environ = {"STAGEDOOR_SERVER": door.address, "STAGEDOOR_TOKEN": door.token}
        done = await both.command("records", "download", str(both.record), **environ)
    await runner.cleanup()
    if reason:
        assert done.code == 1
        assert done.err[0].startswith(f"error: {reason}: ")
        assert both.files == set()
    else:
        assert (done.code, both.files) == (0, {"USRC12345678"})


async def test_a_link_that_is_no_url_of_the_web(both: Both) -> None:
    elsewhere = both.core.use_cases.reached_at("file://")
    async with open_door(replace(both.core, use_cases=elsewhere)) as door:
        environ = {"STAGEDOOR_SERVER": door.address, "STAGEDOOR_TOKEN": door.token}
        done = await both.command("records", "download", str(both.record), **environ)
    assert done.err == ["error: LINK_INVALID: The link is no URL of the web."]
