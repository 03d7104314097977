"""Blobs that gather over several goes, or that somebody else puts into the store."""

from __future__ import annotations

import asyncio
import hashlib
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.blobs.base import BlobBusy, CannotGrow
from shared.blobs.local import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

    from shared.blobs.base import BlobStore

KEY = "acme/0198/1/go"


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    """A folder for bytes."""
    return LocalStore(tmp_path / "blobs")


async def listed(store: BlobStore) -> list[str]:
    return [info.key async for info in store.keys("")]


async def test_a_go_begins_where_the_last_one_was_safe(local: LocalStore) -> None:
    assert await local.grown(KEY) == 0
    with local.grow(KEY) as blob:
        blob.write(b"safe")
        blob.sync()
        blob.write(b" and not")
    assert await local.grown(KEY) == 4
    with local.grow(KEY) as blob:
        assert blob.offset == 4
        blob.write(b"ty first")
        assert blob.md5() == hashlib.md5(b"safety first").hexdigest()
        blob.commit()
    async with local.local_copy(KEY) as path:
        assert await asyncio.to_thread(path.read_bytes) == b"safety first"
    assert await local.grown(KEY) == 0


async def test_what_was_cut_is_gone(local: LocalStore) -> None:
    with local.grow(KEY) as blob:
        blob.write(b"0123456789")
        blob.cut(3)
        blob.write(b"x")
        blob.commit()
    assert await local.size(KEY) == 4


async def test_one_go_at_a_time(local: LocalStore) -> None:
    with local.grow(KEY) as blob:
        blob.write(b"x")
        with pytest.raises(BlobBusy), local.grow(KEY):
            pass
        blob.sync()
    with local.grow(KEY) as blob:
        assert blob.offset == 1


async def test_it_can_be_deleted(local: LocalStore, tmp_path: Path) -> None:
    with local.grow(KEY) as blob:
        blob.write(b"x")
        blob.sync()
    assert await listed(local) == [KEY]
    await local.delete(KEY)
    assert not await asyncio.to_thread(lambda: [p for p in tmp_path.rglob("*") if p.is_file()])


async def test_a_remote_store_takes_a_blob_in_one_go(store: BlobStore) -> None:
    if isinstance(store, LocalStore):
        return
    with pytest.raises(CannotGrow):
        store.grow(KEY)
    with pytest.raises(CannotGrow):
        await store.grown(KEY)


def _put(url: str, data: bytes) -> int:
    headers = {"Content-Type": "application/octet-stream"}  # a form is not stored as it is
    request = urllib.request.Request(url, data, headers, method="PUT")  # noqa: S310 - our server
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        status: int = answer.status
        return status


async def test_anybody_puts_a_blob_by_link_or_nobody(store: BlobStore) -> None:
    url = await store.drop_link(KEY, lasting=timedelta(minutes=1))
    if isinstance(store, LocalStore):
        assert url is None
        return
    assert url is not None
    assert await asyncio.to_thread(_put, url, b"bytes") == 200
    assert await store.size(KEY) == 5
