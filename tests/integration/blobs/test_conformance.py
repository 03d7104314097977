"""What every store promises, whatever is behind it."""

from __future__ import annotations

import asyncio
import hashlib
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.blobs.base import BlobMissing
from shared.blobs.local import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

    from shared.blobs.base import BlobStore

KEY = "acme/0198/1/run-a"
OTHER = "acme/0198/2/run-b"


async def put(store: BlobStore, key: str, *pieces: bytes) -> None:
    with store.create(key) as sink:
        for piece in pieces:
            sink.write(piece)
        sink.commit()


async def read(store: BlobStore, key: str) -> bytes:
    async with store.local_copy(key) as path:
        return await asyncio.to_thread(path.read_bytes)


async def listed(store: BlobStore, prefix: str = "") -> dict[str, int]:
    return {info.key: info.size async for info in store.keys(prefix)}


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our server
        data: bytes = answer.read()
        return data


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
    with store.create(KEY) as sink:
        sink.write(b"wrong and longer")
        assert sink.offset == 16
        sink.restart()
        assert sink.offset == 0
        sink.write(b"right")
        assert sink.offset == 5
        sink.commit()
    assert await read(store, KEY) == b"right"


async def test_nothing_is_seen_before_commit(store: BlobStore) -> None:
    with store.create(KEY) as sink:
        sink.write(b"bytes")
        with pytest.raises(BlobMissing):
            await store.size(KEY)
        sink.commit()
        assert await store.size(KEY) == 5


@pytest.mark.parametrize("size", [0, 5, 20_000_000])
async def test_leaving_without_commit_leaves_nothing(
    store: BlobStore, tmp_path: Path, size: int
) -> None:
    def begin(key: str) -> None:
        with store.create(key) as sink:
            sink.reserve(2 * size)
            sink.note(b"note")
            sink.write(bytes(size))
            if key == OTHER:
                raise ZeroDivisionError

    begin(KEY)
    with pytest.raises(ZeroDivisionError):
        begin(OTHER)
    assert await listed(store) == {}
    assert files(tmp_path) == []


@pytest.mark.parametrize("reserved", [0, 1, 5, 30_000_000])
async def test_a_blob_is_as_long_as_what_was_written(store: BlobStore, reserved: int) -> None:
    with store.create(KEY) as sink:
        sink.reserve(reserved)
        assert sink.offset == 0
        sink.write(b"bytes")
        sink.commit()
    assert await read(store, KEY) == b"bytes"


async def test_restarting_after_many_bytes(store: BlobStore) -> None:
    with store.create(KEY) as sink:
        sink.reserve(20_000_000)
        sink.write(bytes(20_000_000))
        sink.restart()
        sink.restart()
        sink.reserve(18_000_000)
        sink.write(b"x" * 18_000_000)
        assert sink.offset == 18_000_000
        sink.commit()
    assert await store.size(KEY) == 18_000_000
    assert set(await read(store, KEY)) == {ord("x")}


async def test_views_of_buffers_are_copied(store: BlobStore) -> None:
    buffer = bytearray(9_000_000)
    with store.create(KEY) as sink:
        for letter in b"abc":
            buffer[:] = bytes([letter]) * len(buffer)
            sink.write(memoryview(buffer)[:8_500_000])
        sink.commit()
    data = await read(store, KEY)
    assert data == b"".join(bytes([letter]) * 8_500_000 for letter in b"abc")


@pytest.mark.parametrize("text", [b"x" * 4097, b"a\0b"])
async def test_notes_that_are_none(store: BlobStore, text: bytes) -> None:
    with store.create(KEY) as sink, pytest.raises(ValueError, match="A note has at most 4096"):
        sink.note(text)


async def test_nothing_is_left_over_of_a_run_that_ended(store: BlobStore) -> None:
    with store.create(KEY) as sink:
        sink.note(b"note")
        sink.write(b"bytes")
        sink.commit()
    assert list(store.leftovers("acme/0198/1")) == []
    assert list(store.leftovers("nobody")) == []
    assert await listed(store) == {KEY: 5}


async def test_links_give_the_bytes_or_there_are_none(store: BlobStore) -> None:
    await put(store, KEY, b"bytes")
    link = await store.link(KEY, lasting=timedelta(minutes=1), filename="song.wav")
    if isinstance(store, LocalStore):
        assert link is None
    else:
        assert link is not None
        assert await asyncio.to_thread(fetch, link) == b"bytes"


async def test_room_is_bounded_or_not(store: BlobStore) -> None:
    room = await store.room()
    assert room is None or room > 0
    assert (room is None) != isinstance(store, LocalStore)


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
        *("a/b.part", "a/b.part.note", "\u00e9", "a" * 129, "a b"),
    ],
)
async def test_keys_that_are_none(store: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"), store.create(key):
        pass
    with pytest.raises(ValueError, match="not a blob key"):
        await read(store, key)
    with pytest.raises(ValueError, match="not a blob key"):
        await store.size(key)
    with pytest.raises(ValueError, match="not a blob key"):
        await store.delete(key)
    with pytest.raises(ValueError, match="not a blob key"):
        await store.link(key, lasting=timedelta(minutes=1), filename="x")
    if key:
        with pytest.raises(ValueError, match="not a blob key"):
            list(store.leftovers(key.removesuffix("/") + "/.."))


async def test_a_blob_is_read_in_pieces(store: BlobStore) -> None:
    body = bytes(range(256)) * 40_000
    await put(store, KEY, body)
    pieces = [piece async for piece in store.chunks(KEY)]
    assert b"".join(pieces) == body
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= 4 * 1024 * 1024
    with pytest.raises(BlobMissing):
        [piece async for piece in store.chunks(OTHER)]
