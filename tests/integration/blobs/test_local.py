"""What only a local folder can get wrong."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.blobs.base import BlobMissing, NoSpace, StoreUnavailable
from shared.blobs.local import LocalStore
from tests.support.tmpfs import small_disk

KEY = "acme/0198/1/run-a"
MIB = 1024 * 1024


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


async def test_a_part_is_private_and_beside_its_final_name(store: LocalStore, root: Path) -> None:
    with store.create(KEY) as sink:
        part = root / (KEY + ".part")
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        sink.commit()
        assert not part.exists()
    async with store.local_copy(KEY) as path:
        assert path == root / KEY


async def test_one_writer_per_key(store: LocalStore) -> None:
    with store.create(KEY) as sink:
        sink.write(b"first")
        with pytest.raises(FileExistsError), store.create(KEY):
            pass
        sink.commit()
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
        with store.create(key) as sink:
            sink.commit()
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
    with store.create(KEY) as sink:
        sink.commit()
    folders = [root / "acme/0198/1", root / "acme/0198", root / "acme", root]
    assert synced == [f"{root / KEY}.part", *map(str, folders)]


def test_a_commit_that_fails_late_leaves_nothing(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def broken_folder(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "broken")
        real(descriptor)

    def commit() -> None:
        with store.create(KEY) as sink:
            sink.note(b"note")
            sink.commit()

    monkeypatch.setattr(os, "fsync", broken_folder)
    with pytest.raises(StoreUnavailable):
        commit()
    assert names(root) == []


def test_no_descriptor_stays_open(store: LocalStore) -> None:
    before = names(Path("/proc/self/fd"))
    for ending in ("commit", "leave", "restart"):
        with store.create(f"{KEY}-{ending}") as sink:
            sink.note(b"note")
            if ending != "leave":
                getattr(sink, ending)()
    assert names(Path("/proc/self/fd")) == before


def test_room_is_taken_before_the_first_byte_and_given_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 * MIB) as disk:
        store = LocalStore(disk.blobs)
        free = disk.free()
        with store.create(KEY) as sink:
            sink.reserve(2 * MIB)
            assert disk.free() <= free - 2 * MIB
            sink.write(b"bytes")
            sink.commit()
            assert disk.free() > free - MIB
        with store.create(KEY + "b") as sink:
            with pytest.raises(NoSpace):
                sink.reserve(5 * MIB)
            sink.restart()
            with pytest.raises(NoSpace):
                sink.write(bytes(5 * MIB))
        assert [path.name for path in disk.files()] == ["run-a"]


async def test_room_is_what_the_disk_has_free(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 * MIB) as disk:
        assert await LocalStore(disk.blobs / "not/yet/there").room() == disk.free() <= 4 * MIB
        disk.fill()
        assert await LocalStore(disk.blobs).room() == disk.free() < MIB


LIMITED = """
import resource, sys
from pathlib import Path
from shared.blobs.base import BlobMissing, NoSpace, StoreUnavailable
from shared.blobs.local import LocalStore
from tests.support.tmpfs import small_disk
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for step in ("reserve", "write"):
    try:
        with LocalStore(Path(sys.argv[1])).create("a/b") as sink:
            sink.reserve(200_000) if step == "reserve" else sink.write(bytes(200_000))
    except NoSpace:
        print(step)
"""


def test_a_file_that_may_not_get_so_long(root: Path) -> None:
    child = [sys.executable, "-c", LIMITED, str(root)]
    said = subprocess.run(child, capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout.split() == ["reserve", "write"]
    assert names(root) == []


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
async def test_a_disk_that_cannot_reserve(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    with store.create(KEY) as sink:
        sink.reserve(MIB)
        sink.write(b"bytes")
        sink.commit()
    assert await store.size(KEY) == 5


def test_a_folder_that_is_taken_away_under_way(store: LocalStore, root: Path) -> None:
    def lose_the_folder() -> None:
        with store.create(KEY) as sink:
            sink.note(b"note")
            shutil.rmtree(root)
            sink.write(b"bytes")
            sink.commit()

    with pytest.raises(StoreUnavailable):
        lose_the_folder()
    assert not root.exists()


async def test_a_root_that_is_no_folder(tmp_path: Path) -> None:
    store = LocalStore(Path("/dev/null"))
    with pytest.raises(StoreUnavailable), store.create(KEY):
        pass
    with pytest.raises(StoreUnavailable):
        await store.size(KEY)
    with pytest.raises(StoreUnavailable):
        await store.delete(KEY)
    assert [info async for info in store.keys("acme")] == []
    assert list(store.leftovers("acme")) == []
    with pytest.raises(StoreUnavailable):
        await LocalStore(tmp_path / ("x" * 300)).room()


DYING = """
import os, signal, sys
from pathlib import Path
from shared.blobs.local import LocalStore
with LocalStore(Path(sys.argv[1])).create(sys.argv[2]) as sink:
    sink.reserve(1_000_000)
    sink.note(b"a longer note that is replaced")
    sink.write(bytes(range(256)) * 100)
    sink.note(b"25600 bytes")
    sink.write(b"not noted")
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_what_a_killed_run_leaves_can_be_read_and_deleted(
    store: LocalStore, root: Path
) -> None:
    child = [sys.executable, "-c", DYING, str(root), KEY]
    process = await asyncio.create_subprocess_exec(*child)
    assert await process.wait() == -signal.SIGKILL
    with store.create("acme/0198/1/run-b") as sink:
        [left] = store.leftovers("acme/0198/1")
        assert (left.key, left.note) == (KEY, b"25600 bytes")
        with left.open() as part:
            assert part.read(25600) == bytes(range(256)) * 100
            sink.commit()
    listed = {info.key: info.size async for info in store.keys("acme")}
    assert listed == {KEY: 1_000_000 + 4096, "acme/0198/1/run-b": 0}
    await store.delete(KEY)
    with pytest.raises(BlobMissing):
        left.open()
    assert names(root / "acme/0198/1") == ["run-b"]


def test_parts_without_a_note_are_no_leftovers(store: LocalStore, root: Path) -> None:
    with store.create(KEY) as sink:
        sink.write(b"bytes")
        assert list(store.leftovers("acme")) == []
        sink.note(b"note")
        assert [left.note for left in store.leftovers("acme/0198/1/")] == [b"note"]
        assert list(store.leftovers("acme/0198/2")) == []
        sink.restart()
        assert list(store.leftovers("acme")) == []
        sink.note(b"x" * 4096)
        assert [left.note for left in store.leftovers("")] == [b"x" * 4096]
        (root / (KEY + ".part")).unlink()
        assert list(store.leftovers("acme")) == []


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
    with store.create(KEY) as sink:
        sink.commit()
    assert await store.size(KEY) == 0


async def test_racing_runs_of_one_generation(store: LocalStore) -> None:
    def give_up(number: int) -> None:
        with store.create(f"acme/0198/1/loser-{number}"):
            pass

    def finish(number: int) -> None:
        with store.create(f"acme/0198/1/winner-{number}") as sink:
            sink.commit()

    with ThreadPoolExecutor(16) as pool:
        ends = [pool.submit(give_up, number) for number in range(100)]
        ends += [pool.submit(finish, number) for number in range(20)]
    for end in ends:
        end.result()
    assert len([info async for info in store.keys("acme")]) == 20
