"""The same import on the engines of production: PostgreSQL and an S3 store."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from yarl import URL

from shared.blobs.open import open_store
from tests.support import replies, s3
from tests.support.media import eac3, mp4
from tests.support.stack import Client, Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.blobs.base import BlobStore
    from tests.support.postgres import PostgresServer

MASTER = mp4.plain(mp4.Track(frames=eac3.joc_frames(40), config=mp4.dec3()))


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a folder in a bucket, and the environment that leads there."""
    with s3.running_s3() as endpoint:
        yield f"s3://{s3.make_bucket(endpoint)}/v1", s3.environment(endpoint)


@pytest.fixture(scope="module")
def production(
    store: tuple[str, dict[str, str]],
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """The stack on PostgreSQL and S3, with two workers of each stage."""
    settings = {
        "STAGEDOOR_DATABASE_URL": postgres_server.database(),
        "STAGEDOOR_BLOBS_URL": store[0],
        **store[1],
    }
    more = ("--downloaders", "2", "--validators", "2")
    with running_stack(tmp_path_factory.mktemp("production"), settings, *more) as running:
        yield running


async def test_masters_become_records_and_their_bytes_are_in_the_store(
    production: Stack,
    store: tuple[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    url = production.origin.serve("/m.mp4", replies.file(MASTER))
    async with Client(production.ready) as client:
        ids = [await client.start(url, f"USRC3{number:07d}") for number in range(6)]
        for task_id in ids:
            await client.until(task_id)
        status, page = await client.call("GET", "/atmos-import-tasks?filter[status]=completed")
        assert status == 200
        assert page["meta"]["page"]["total"] == len(ids)
        status, _ = await client.call("DELETE", f"/atmos-import-tasks/{ids[0]}")
        assert status == 204
    for name, value in store[1].items():
        monkeypatch.setenv(name, value)
    kept = await _until_kept(store[0], tmp_path, ids[1:])
    assert {hashlib.md5(body).hexdigest() for body in kept} == {hashlib.md5(MASTER).hexdigest()}


async def test_the_store_itself_gives_out_the_bytes(production: Stack) -> None:
    url = production.origin.serve("/linked.mp4", replies.file(MASTER))
    async with Client(production.ready) as client:
        task = await client.finish(url, "USRC39999999")
        _, shown = await client.call("GET", f"/atmos-import-tasks/{task['id']}/record")
        at = f"/records/{shown['data']['id']}/download-links"
        wanted = {"data": {"type": "download-links", "attributes": {"ttlSeconds": 60}}}
        status, made = await client.call("POST", at, wanted)
    assert status == 201, made
    link = made["data"]["attributes"]["url"]
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["60"]
    assert not link.startswith(production.ready["http"])
    async with aiohttp.ClientSession() as anybody, anybody.get(URL(link, encoded=True)) as answer:
        assert (answer.status, await answer.read()) == (200, MASTER)


async def _until_kept(url: str, scratch: Path, ids: list[str]) -> list[bytes]:
    """The bytes in the store, once they are those of these tasks only."""
    blobs = open_store(url, scratch=scratch)
    async with asyncio.timeout(30):
        # A store tells nobody of its changes.
        while sorted(key.split("/")[1] for key in await _keys(blobs)) != sorted(ids):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    kept = []
    for key in await _keys(blobs):
        async with blobs.local_copy(key) as path:
            kept.append(path.read_bytes())
    return kept


async def _keys(blobs: BlobStore) -> list[str]:
    listed = blobs.keys()
    return [info.key async for info in listed]
