"""Files that clients put straight into an S3 store: found, proven, taken over."""

from __future__ import annotations

import asyncio
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from services.api.db.tables import uploads as uploads_table
from services.api.domain.uploads import UploadState
from services.api.landing import Landing
from services.api.use_cases.uploads import INCOMING
from shared.blobs.open import open_store
from tests.support import s3
from tests.support.core import a_principal, open_core
from tests.support.uploading import FILE, FILE_MD5, blobs, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from services.api.domain.uploads import Upload
    from tests.support.core import Core

WHO = a_principal()


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A server that speaks S3."""
    with s3.running_s3() as endpoint:
        yield endpoint


@pytest.fixture
async def core(
    s3_endpoint: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Core]:
    """The use cases, with an S3 store into which files go straight."""
    for name, value in s3.environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    store = open_store(f"s3://{s3.make_bucket(s3_endpoint)}/prefix", scratch=tmp_path)
    async with open_core(sqlite_url, store=store, upload_direct=True) as opened:
        yield opened


async def put(core: Core, upload: Upload, data: bytes = FILE) -> None:
    url = await core.use_cases.uploads.uri(upload)
    assert url is not None
    assert INCOMING not in url
    headers = {"Content-Type": "application/octet-stream"}  # a form is not stored as it is
    request = urllib.request.Request(url, data, headers, method="PUT")  # noqa: S310 - our server

    def send() -> None:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            assert answer.status == 200

    await asyncio.to_thread(send)


async def look(core: Core) -> int:
    """Look for all of them, whenever the next time would be."""
    past = update(uploads_table).where(uploads_table.c.look_at.is_not(None))
    await core.use_cases.executor.write(
        lambda t: t.connection.execute(past.values(look_at=t.now() - timedelta(seconds=1)))
    )
    return await Landing(core.use_cases.receiving).look()


async def doom(core: Core) -> None:
    for key in await core.use_cases.blobs.doomed(10):
        await core.use_cases.receiving.store.delete(key)


async def test_a_file_is_found_and_proven(core: Core) -> None:
    upload, other = await expect(core, declared_md5=FILE_MD5), await expect(core)
    assert await look(core) == 0
    await put(core, upload)
    assert await look(core) == 1
    after = await core.use_cases.uploads.get(WHO, upload.id)
    assert after.master is not None
    assert (after.state, after.look_at, after.master.md5) == (UploadState.STORED, None, FILE_MD5)
    await doom(core)
    assert await blobs(core.use_cases.receiving.store) == {after.master.blob_key: len(FILE)}
    assert await look(core) == 0
    assert (await core.use_cases.uploads.get(WHO, other.id)).state is UploadState.WAITING


async def test_what_is_put_again_changes_nothing(core: Core) -> None:
    """The link is good for a while still: it must not lead to the bytes that were proven."""
    upload = await expect(core)
    url = await core.use_cases.uploads.uri(upload)
    await put(core, upload)
    await look(core)
    after = await core.use_cases.uploads.get(WHO, upload.id)
    assert after.master is not None
    assert url is not None
    assert after.master.blob_key not in url
    await put(core, upload, b"something else")
    store = core.use_cases.receiving.store
    assert [chunk async for chunk in store.chunks(after.master.blob_key)] == [FILE]


@pytest.mark.parametrize("data", [FILE + b"x", FILE[:-1] + b"x"])
async def test_a_wrong_file_goes_and_another_may_come(core: Core, data: bytes) -> None:
    upload = await expect(core, size_limit=len(FILE), declared_md5=FILE_MD5)
    await put(core, upload, data)
    assert await look(core) == 1
    await doom(core)
    assert not await blobs(core.use_cases.receiving.store)
    await put(core, upload)
    assert await look(core) == 1
    assert (await core.use_cases.uploads.get(WHO, upload.id)).state is UploadState.STORED


async def test_the_longer_it_waits_the_rarer_it_is_asked_for(core: Core) -> None:
    upload = await expect(core)
    for age, pause in ((0, 2), (100, 10), (3600, 60)):
        now = upload.created_at + timedelta(seconds=age)
        assert upload.looked_for(now).look_at == now + timedelta(seconds=pause)


async def test_of_several_who_look_one_gets_it(core: Core) -> None:
    await expect(core)
    await look(core)
    assert not await core.use_cases.uploads.to_look_for(10)
