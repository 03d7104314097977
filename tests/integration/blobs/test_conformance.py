"""What every store promises, whatever is behind it."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.blobs.base import BlobMissing

if TYPE_CHECKING:
    from pathlib import Path

    from shared.blobs.base import BlobStore

KEY = "acme/0198/1/run-a"
OTHER = "acme/0198/2/run-b"


async def put(store: BlobStore, key: str, *pieces: bytes) -> None:
    async with store.create(key) as sink:
        for piece in pieces:
            await sink.write(piece)
        await sink.commit()


async def read(store: BlobStore, key: str) -> bytes:
    async with store.local_copy(key) as path:
        return await asyncio.to_thread(path.read_bytes)


async def listed(store: BlobStore, prefix: str = "") -> dict[str, int]:
    return {info.key: info.size async for info in store.keys(prefix)}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_blob_comes_back(store: BlobStore) -> None:
    await put(store, KEY, b"one ", b"", b"two")
    assert await read(store, KEY) == b"one two"
    assert await store.size(KEY) == 7


async def test_an_empty_blob_is_a_blob(store: BlobStore) -> None:
    await put(store, KEY)
    assert await read(store, KEY) == b""
    assert await listed(store) == {KEY: 0}


async def test_a_blob_of_several_parts(store: BlobStore) -> None:
    piece = hashlib.sha256(b"noise").digest() * (96 * 1024)
    await put(store, KEY, *[piece] * 7)
    assert await store.size(KEY) == 7 * len(piece) > 20_000_000
    async with store.local_copy(KEY) as path:
        with await asyncio.to_thread(path.open, "rb") as file:
            digest = await asyncio.to_thread(hashlib.file_digest, file, "md5")
    assert digest.digest() == hashlib.md5(piece * 7, usedforsecurity=False).digest()


async def test_offset_and_restart(store: BlobStore) -> None:
    async with store.create(KEY) as sink:
        await sink.write(b"wrong and longer")
        assert sink.offset == 16
        await sink.restart()
        assert sink.offset == 0
        await sink.write(b"right")
        assert sink.offset == 5
        await sink.commit()
    assert await read(store, KEY) == b"right"


async def test_nothing_is_seen_before_commit(store: BlobStore) -> None:
    async with store.create(KEY) as sink:
        await sink.write(b"bytes")
        with pytest.raises(BlobMissing):
            await store.size(KEY)
        await sink.commit()
        assert await store.size(KEY) == 5


async def test_leaving_without_commit_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    async with store.create(KEY) as sink:
        await sink.write(b"bytes")

    async def fail_midway() -> None:
        async with store.create(OTHER) as sink:
            await sink.write(b"bytes")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_midway()
    assert await listed(store) == {}
    assert files(tmp_path) == []


async def test_cancelling_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    started = asyncio.Event()

    async def write_for_ever() -> None:
        async with store.create(KEY) as sink:
            while True:
                await sink.write(b"bytes" * 10_000)
                started.set()

    task = asyncio.create_task(write_for_ever())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await listed(store) == {}
    assert files(tmp_path) == []


async def test_missing_blobs(store: BlobStore) -> None:
    with pytest.raises(BlobMissing):
        await store.size(KEY)
    with pytest.raises(BlobMissing):
        await read(store, KEY)
    await store.delete(KEY)


async def test_delete(store: BlobStore) -> None:
    await put(store, KEY, b"a")
    await put(store, OTHER, b"b")
    await store.delete(KEY)
    await store.delete(KEY)
    assert await listed(store) == {OTHER: 1}


async def test_local_copies_are_taken_away(store: BlobStore, tmp_path: Path) -> None:
    await put(store, KEY, b"a")
    before = files(tmp_path)
    async with store.local_copy(KEY):
        pass
    with pytest.raises(ZeroDivisionError):
        async with store.local_copy(KEY):
            raise ZeroDivisionError
    assert files(tmp_path) == before


async def test_keys_by_prefix(store: BlobStore) -> None:
    await put(store, KEY, b"a")
    await put(store, OTHER, b"bb")
    await put(store, "acme/01987/1/run", b"ccc")
    await put(store, "zeta/0198/1/run", b"dddd")
    assert await listed(store) == {
        KEY: 1,
        OTHER: 2,
        "acme/01987/1/run": 3,
        "zeta/0198/1/run": 4,
    }
    assert await listed(store, "acme/0198") == {KEY: 1, OTHER: 2}
    assert await listed(store, "acme/0198/1/") == {KEY: 1}
    assert await listed(store, "nobody") == {}
    async for info in store.keys("zeta"):
        assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    "key",
    [
        *("", "/etc/passwd", "a/../b", "a//b", "a/", "./a", "a/.hidden", "a\\b", "a\x00b"),
        *("a/b.part", "\u00e9", "a" * 129, "a b"),
    ],
)
async def test_keys_that_are_none(store: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        async with store.create(key):
            pass
    with pytest.raises(ValueError, match="not a blob key"):
        await read(store, key)
    with pytest.raises(ValueError, match="not a blob key"):
        await store.size(key)
    with pytest.raises(ValueError, match="not a blob key"):
        await store.delete(key)
