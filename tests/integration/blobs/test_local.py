"""What only a local folder can get wrong."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path

import pytest

from shared.blobs.base import NoSpace
from shared.blobs.local import LocalStore

KEY = "acme/0198/1/run-a"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


async def test_a_part_is_private_and_beside_its_final_name(store: LocalStore, root: Path) -> None:
    async with store.create(KEY) as sink:
        part = root / (KEY + ".part")
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        await sink.commit()
        assert not part.exists()
    async with store.local_copy(KEY) as path:
        assert path == root / KEY


async def test_one_writer_per_key(store: LocalStore) -> None:
    async with store.create(KEY) as sink:
        await sink.write(b"first")
        with pytest.raises(FileExistsError):
            async with store.create(KEY):
                pass
        await sink.commit()
    assert await store.size(KEY) == 5


async def test_the_part_of_a_dead_run_is_found_and_deleted(store: LocalStore, root: Path) -> None:
    part = root / (KEY + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    assert [(info.key, info.size) async for info in store.keys("acme")] == [(KEY, 4)]
    await store.delete(KEY)
    assert not part.exists()


async def test_empty_folders_go_and_used_ones_stay(store: LocalStore, root: Path) -> None:
    for key in (KEY, "acme/0198/2/run-b"):
        async with store.create(key) as sink:
            await sink.commit()
    await store.delete(KEY)
    assert names(root / "acme/0198") == ["2"]
    await store.delete("acme/0198/2/run-b")
    assert names(root) == []


async def test_bytes_and_every_folder_are_synced(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def spy(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    async with store.create(KEY) as sink:
        await sink.commit()
    folders = [root / "acme/0198/1", root / "acme/0198", root / "acme", root]
    assert synced == [f"{root / KEY}.part", *map(str, folders)]


async def test_a_commit_whose_caller_was_cancelled_leaves_nothing(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, go_on = threading.Event(), threading.Event()
    real = os.fsync

    def slow_disk(descriptor: int) -> None:
        syncing.set()
        go_on.wait(10)
        real(descriptor)

    async def commit() -> None:
        async with store.create(KEY) as sink:
            await sink.commit()

    monkeypatch.setattr(os, "fsync", slow_disk)
    task = asyncio.create_task(commit())
    await asyncio.to_thread(syncing.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(root) == []


async def test_a_full_disk(store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def full(path: str | Path, flags: int, mode: int = 0o777) -> int:
        return real("/dev/full" if flags & os.O_EXCL else path, flags & ~os.O_EXCL, mode)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(NoSpace):
        async with store.create(KEY) as sink:
            await sink.write(b"no room for this")
    assert names(root) == []


async def test_a_write_whose_caller_was_cancelled_ends_before_its_file_is_closed(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    real_write, real_close = os.write, os.close

    def slow_write(descriptor: int, data: bytes) -> int:
        def close(other: int) -> None:
            if other == descriptor:
                closed.set()
            real_close(other)

        monkeypatch.setattr(os, "close", close)
        writing.set()
        go_on.wait(10)
        return real_write(descriptor, data)

    async def write() -> None:
        async with store.create(KEY) as sink:
            monkeypatch.setattr(os, "write", slow_write)
            await sink.write(b"bytes")

    task = asyncio.create_task(write())
    await asyncio.to_thread(writing.wait, 10)
    monkeypatch.setattr(os, "write", real_write)
    task.cancel()
    assert not await asyncio.to_thread(closed.wait, 0.2)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()


async def test_a_folder_that_another_run_takes_away(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open
    taken: list[Path] = []

    def racing(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if not taken:
            taken.append(Path(path).parent)
            taken[0].rmdir()
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", racing)
    async with store.create(KEY) as sink:
        await sink.commit()
    assert await store.size(KEY) == 0


async def test_racing_runs_of_one_generation(store: LocalStore) -> None:
    async def give_up(number: int) -> None:
        async with store.create(f"acme/0198/1/loser-{number}"):
            pass

    async def finish(number: int) -> None:
        async with store.create(f"acme/0198/1/winner-{number}") as sink:
            await sink.commit()

    await asyncio.gather(*map(give_up, range(100)), *map(finish, range(20)))
    assert len([info async for info in store.keys("acme")]) == 20
