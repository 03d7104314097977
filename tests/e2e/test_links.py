"""A record's bytes through the whole product, where it serves them itself."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import grpc

from stagedoor.v1.import_task_service_pb2 import CreateImportTaskRequest, ImportTask
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from stagedoor.v1.record_service_pb2 import GenerateDownloadLinkRequest
from stagedoor.v1.record_service_pb2_grpc import RecordServiceStub
from tests.support import replies
from tests.support.media import eac3, mp4

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.stack import Client, Stack

MASTER = mp4.plain(mp4.Track(frames=eac3.joc_frames(50), config=mp4.dec3()))


async def test_what_went_in_comes_out(
    stack: Stack, client: Client, new_isrc: Callable[[], str], tmp_path: Path
) -> None:
    isrc = new_isrc()
    task = await client.finish(stack.origin.serve("/links.mp4", replies.file(MASTER)), isrc)
    _, shown = await client.call("GET", f"/atmos-import-tasks/{task['id']}/record")
    record = shown["data"]["id"]
    wanted = {"data": {"type": "download-links", "attributes": {"ttlSeconds": 60}}}
    status, made = await client.call("POST", f"/records/{record}/download-links", wanted)
    assert status == 201, made
    url = made["data"]["attributes"]["url"]
    assert url.startswith(f"{stack.ready['http']}/files/{record}?")
    async with aiohttp.ClientSession() as anybody:
        async with anybody.get(url) as answer:
            assert (answer.status, await answer.read()) == (200, MASTER)
            assert answer.headers["ETag"] == f'"{hashlib.md5(MASTER).hexdigest()}"'
            assert answer.headers["Content-Type"] == "audio/mp4"
        async with anybody.get(url, headers={"Range": "bytes=100-199"}) as answer:
            assert (answer.status, await answer.read()) == (206, MASTER[100:200])
        async with anybody.get(f"{url}x") as answer:
            assert answer.status == 403
    signature = url.rpartition("signature=")[2]
    log = await asyncio.to_thread(stack.ready_file.with_name("log").read_text)
    assert signature not in log
    assert await _by_command(stack, record, tmp_path) == 0
    assert {path.name: path.read_bytes() for path in files(tmp_path)} == {f"{isrc}.mp4": MASTER}


SUBRIP = b"1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Ciao</i>\r\n"
WEBVTT = b"WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\n<i>Ciao</i>\n"


async def test_subtitles_come_out_as_webvtt(stack: Stack, client: Client) -> None:
    url = stack.origin.serve("/it.srt", replies.file(SUBRIP))
    metadata = (("authorization", f"Bearer {stack.ready['token']}"),)
    async with grpc.aio.insecure_channel(stack.ready["grpc"]) as channel:
        wanted = ImportTask(source_uri=url, master_type=ImportTask.MASTER_TYPE_SUBTITLES)
        made = await ImportTaskServiceStub(channel).CreateImportTask(
            CreateImportTaskRequest(import_task=wanted), metadata=metadata
        )
        done = await client.until(made.name.removeprefix("importTasks/"))
        link = await RecordServiceStub(channel).GenerateDownloadLink(
            GenerateDownloadLinkRequest(name=done.record), metadata=metadata
        )
    assert (done.actual_md5, done.size_bytes) == (_md5(SUBRIP), len(SUBRIP))
    async with aiohttp.ClientSession() as anybody, anybody.get(link.uri) as answer:
        assert (answer.status, await answer.read()) == (200, WEBVTT)
        assert answer.headers["ETag"] == f'"{_md5(WEBVTT)}"'
        assert answer.headers["Content-Type"] == "text/vtt"


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def files(folder: Path) -> list[Path]:
    return [*folder.iterdir()]


async def _by_command(stack: Stack, record: str, folder: Path) -> int:
    """How ``stagedoor records download`` ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        Path(sysconfig.get_path("scripts"), "stagedoor"),
        *("records", "download", record),
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "STAGEDOOR_SERVER": stack.ready["grpc"],
            "STAGEDOOR_TOKEN": stack.ready["token"],
        },
    )
    return await process.wait()
