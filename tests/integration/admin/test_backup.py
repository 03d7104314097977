"""A backup is whole or is none, beside a stack that goes on; and it comes back."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, text

from services.api.db.tables import import_tasks
from services.api.use_cases import backup as module
from services.api.use_cases.backup import Backup, Places
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.manifest import BackupRefused
from shared.blobs.local import LocalStore
from tests.support.core import Core, a_principal, open_core
from tests.support.masters import accept, completed, fetch, key_of, stored

if TYPE_CHECKING:
    from pathlib import Path

    from services.api.domain.task import Task
    from tests.integration.admin.conftest import Admin

WHO = a_principal()


def _files(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "lock"}


async def _three(stack: Core, store: LocalStore) -> list[Task]:
    return [
        await completed(stack, store, b"one", "USRC12345671"),
        await stored(stack, store, b"three", "USRC12345672"),
        await stack.task("USRC12345673"),
    ]


async def test_what_was_saved_comes_back(
    stack: Core, store: LocalStore, data_dir: Path, tmp_path: Path, admin: Admin
) -> None:
    tasks = await _three(stack, store)
    with store.create("default/orphan/1/run") as sink:
        sink.commit()
    saved, back = tmp_path / "b", tmp_path / "back"
    done = admin("backup", str(saved))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 masters, 8 bytes, in {saved}\n"
    assert {path.name for path in saved.iterdir()} == {
        *("MD5SUMS", "blobs", "manifest.json", "secrets.key", "stagedoor.db")
    }
    assert [(saved / name).stat().st_mode & 0o777 for name in ("secrets.key", "stagedoor.db")] == [
        *(0o600, 0o600)
    ]
    assert saved.stat().st_mode & 0o777 == 0o700
    sums = (saved / "MD5SUMS").read_text().splitlines()
    assert sums == [
        f"{hashlib.md5((saved / line[34:]).read_bytes()).hexdigest()}  {line[34:]}" for line in sums
    ]
    done = admin("restore", str(saved), STAGEDOOR_DATA_DIR=str(back))
    assert (done.returncode, done.stdout) == (0, f"2 masters, 8 bytes, in {back}\n"), done.stderr
    assert _files(back) == {
        name: body
        for name, body in _files(saved).items()
        if name not in {"MD5SUMS", "manifest.json"}
    }
    assert (back / "secrets.key").read_text() == (data_dir / "secrets.key").read_text()
    async with open_core(f"sqlite+aiosqlite:///{back / 'stagedoor.db'}") as core:
        for task in tasks:
            assert await core.use_cases.import_tasks.get(WHO, task.id) == task
    assert admin("verify", STAGEDOOR_DATA_DIR=str(back)).returncode == 0


async def test_the_manifest_tells_what_there_is(
    stack: Core, store: LocalStore, tmp_path: Path, admin: Admin
) -> None:
    await _three(stack, store)
    assert admin("backup", str(tmp_path / "b")).returncode == 0
    manifest = json.loads((tmp_path / "b/manifest.json").read_text())
    assert manifest["format"] == 1
    assert manifest["rows"]["import_tasks"] == 3
    assert (manifest["blobs"], manifest["bytes"], manifest["wrong"]) == (2, 8, [])
    sizes = {name: (tmp_path / "b" / name).stat().st_size for name in manifest["files"]}
    assert {name: file["size"] for name, file in manifest["files"].items()} == sizes
    assert set(sizes) == {"MD5SUMS", "secrets.key", "stagedoor.db"}


async def test_what_is_not_right_is_told_and_the_rest_is_saved(
    stack: Core, store: LocalStore, data_dir: Path, tmp_path: Path, admin: Admin
) -> None:
    _, wrong, _ = await _three(stack, store)
    (data_dir / "blobs" / key_of(wrong)).write_bytes(b"THREE")
    done = admin("backup", str(tmp_path / "b"))
    assert (done.returncode, done.stdout) == (1, f"1 masters, 3 bytes, in {tmp_path / 'b'}\n")
    assert done.stderr.startswith(f"wrong: importTasks/{wrong.id} {key_of(wrong)}: 5 bytes, MD5 ")
    [loss] = json.loads((tmp_path / "b/manifest.json").read_text())["wrong"]
    assert loss["key"] == key_of(wrong)
    done = admin("restore", str(tmp_path / "b"), STAGEDOOR_DATA_DIR=str(tmp_path / "back"))
    assert (done.returncode, done.stdout[:18]) == (1, "1 masters, 3 bytes")


class _Meanwhile(LocalStore):
    """A store before whose first answer something happens."""

    def __init__(self, root: Path, happens: Any) -> None:
        super().__init__(root)
        self._happens = [happens]

    async def chunks(self, key: str) -> Any:
        while self._happens:
            await self._happens.pop()()
        async for chunk in LocalStore.chunks(self, key):
            yield chunk


async def test_what_is_replaced_and_deleted_meanwhile_does_not_matter(
    stack: Core, store: LocalStore, data_dir: Path, tmp_path: Path
) -> None:
    first = await completed(stack, store, b"one", "USRC12345671")
    second = await completed(stack, store, b"two", "USRC12345672")

    async def change() -> None:
        new = TaskFields(source_uri="https://cdn.example.com/new.wav")
        again = await stack.use_cases.import_tasks.update(WHO, first.id, new)
        await accept(stack, await fetch(stack, store, again, b"new bytes"))
        await store.delete(key_of(first))
        await stack.use_cases.import_tasks.delete(WHO, second.id)
        await store.delete(key_of(second))

    places = Places(target=tmp_path / "b", secrets=data_dir)
    meanwhile = _Meanwhile(data_dir / "blobs", change)
    manifest = await Backup(stack.use_cases.executor, meanwhile, places).run(pytest.fail)
    assert (manifest.blobs, manifest.bytes, manifest.rows["import_tasks"]) == (1, 9, 1)
    assert b"new bytes" in _files(tmp_path / "b" / "blobs").values()
    assert len(_files(tmp_path / "b" / "blobs")) == 1


async def test_what_was_saved_and_then_replaced_is_not_kept(
    stack: Core, store: LocalStore, data_dir: Path, tmp_path: Path
) -> None:
    first = await completed(stack, store, b"one", "USRC12345671")
    second = await completed(stack, store, b"two", "USRC12345672")

    class Late(LocalStore):
        async def chunks(self, key: str) -> Any:
            if key == key_of(second):
                for task in (first, second):
                    if (data_dir / "blobs" / key_of(task)).exists():
                        await stack.use_cases.import_tasks.delete(WHO, task.id)
                        await store.delete(key_of(task))
            async for chunk in LocalStore.chunks(self, key):
                yield chunk

    places = Places(target=tmp_path / "b", secrets=None)
    backup = Backup(stack.use_cases.executor, Late(data_dir / "blobs"), places)
    assert (await backup.run(pytest.fail)).blobs == 0
    assert not _files(tmp_path / "b" / "blobs")
    assert not (tmp_path / "b" / "secrets.key").exists()


async def test_what_changes_faster_than_it_is_saved_is_told(
    stack: Core, store: LocalStore, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUNDS", 1)
    task = await completed(stack, store, b"one", "USRC12345671")

    async def delete() -> None:
        await stack.use_cases.import_tasks.delete(WHO, task.id)
        await store.delete(key_of(task))

    told: list[str] = []
    places = Places(target=tmp_path / "b", secrets=None)
    meanwhile = _Meanwhile(data_dir / "blobs", delete)
    manifest = await Backup(stack.use_cases.executor, meanwhile, places).run(told.append)
    assert [loss.key for loss in manifest.wrong] == [key_of(task)]
    assert len(told) == 1


@pytest.mark.long
async def test_a_backup_that_was_killed_is_none_and_the_next_one_is_whole(
    stack: Core, store: LocalStore, tmp_path: Path, admin: Admin
) -> None:
    await _three(stack, store)
    saved, partial = tmp_path / "b", tmp_path / "b.partial"
    killed = admin("backup", str(saved), STAGEDOOR_FAILPOINTS="backup.saved=kill")
    assert killed.returncode == -signal.SIGKILL
    assert not saved.exists()
    assert len(_files(partial / "blobs")) == 1
    refused = admin("restore", str(partial), STAGEDOOR_DATA_DIR=str(tmp_path / "back"))
    assert (refused.returncode, refused.stderr[:22]) == (1, "error: BACKUP_REFUSED:")
    assert not (tmp_path / "back").exists()
    (partial / "blobs/left").write_bytes(b"by an earlier one")
    assert admin("backup", str(saved)).returncode == 0
    assert not partial.exists()
    assert not (saved / "blobs/left").exists()


@pytest.mark.long
@pytest.mark.parametrize("time", [1, 3])
async def test_a_restore_that_was_killed_is_done_again(
    stack: Core, store: LocalStore, tmp_path: Path, admin: Admin, time: int
) -> None:
    await _three(stack, store)
    saved, back = tmp_path / "b", tmp_path / "back"
    assert admin("backup", str(saved)).returncode == 0
    there = {"STAGEDOOR_DATA_DIR": str(back)}
    killed = admin(
        "restore", str(saved), STAGEDOOR_FAILPOINTS=f"restore.moved=kill@{time}", **there
    )
    assert killed.returncode == -signal.SIGKILL
    assert (back / "restore.partial").exists()
    done = admin("restore", str(saved), **there)
    assert done.returncode == 0, done.stderr
    assert not (back / "restore.partial").exists()
    assert admin("verify", **there).stdout == "2 checked, 8 bytes; 0 wrong, 0 unnamed\n"


async def test_a_folder_that_is_in_use_is_not_touched(
    stack: Core, store: LocalStore, data_dir: Path, tmp_path: Path, admin: Admin
) -> None:
    await _three(stack, store)
    saved, back = tmp_path / "b", tmp_path / "back"
    assert admin("backup", str(saved)).returncode == 0
    assert "is there already" in admin("backup", str(saved)).stderr
    before = _files(data_dir)
    assert "is not empty" in admin("restore", str(saved)).stderr
    assert _files(data_dir) == before
    back.mkdir()
    with (back / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = admin("restore", str(saved), STAGEDOOR_DATA_DIR=str(back))
    assert "A stack runs in" in done.stderr
    assert [path.name for path in back.iterdir()] == ["lock"]


async def test_two_backups_do_not_write_into_one_folder(
    stack: Core, store: LocalStore, data_dir: Path, tmp_path: Path
) -> None:
    await _three(stack, store)
    places = Places(target=tmp_path / "b", secrets=data_dir)

    async def second() -> None:
        with pytest.raises(BackupRefused, match="Another backup"):
            await Backup(stack.use_cases.executor, store, places).run(pytest.fail)

    backup = Backup(stack.use_cases.executor, _Meanwhile(data_dir / "blobs", second), places)
    assert (await backup.run(pytest.fail)).blobs == 2


@pytest.mark.parametrize("name", ["stagedoor.db", "secrets.key", "MD5SUMS"])
async def test_a_backup_that_was_changed_is_refused(
    stack: Core, store: LocalStore, tmp_path: Path, admin: Admin, name: str
) -> None:
    await _three(stack, store)
    assert admin("backup", str(tmp_path / "b")).returncode == 0
    body = bytearray((tmp_path / "b" / name).read_bytes())
    body[-1] ^= 1
    (tmp_path / "b" / name).write_bytes(body)
    done = admin("restore", str(tmp_path / "b"), STAGEDOOR_DATA_DIR=str(tmp_path / "back"))
    assert (done.returncode, "is not as it was saved" in done.stderr) == (1, True)
    assert not (tmp_path / "back").exists()


async def test_a_backup_of_the_future_is_refused(
    stack: Core, store: LocalStore, tmp_path: Path, admin: Admin
) -> None:
    await _three(stack, store)
    assert admin("backup", str(tmp_path / "b")).returncode == 0
    path = tmp_path / "b/manifest.json"
    good = path.read_text()
    for change, why in (('"revision": "', "A newer version"), ('"format": ', "has format")):
        path.write_text(good.replace(change, f"{change}9"))
        done = admin("restore", str(tmp_path / "b"), STAGEDOOR_DATA_DIR=str(tmp_path / "back"))
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr


async def test_bytes_that_rotted_in_the_backup_are_told_and_the_rest_comes_back(
    stack: Core, store: LocalStore, tmp_path: Path, admin: Admin
) -> None:
    rotten, *_ = await _three(stack, store)
    assert admin("backup", str(tmp_path / "b")).returncode == 0
    (tmp_path / "b/blobs" / key_of(rotten)).write_bytes(b"One")
    done = admin("restore", str(tmp_path / "b"), STAGEDOOR_DATA_DIR=str(tmp_path / "back"))
    assert (done.returncode, key_of(rotten) in done.stderr) == (1, True)
    assert list(_files(tmp_path / "back/blobs").values()) == [b"three"]


def test_other_engines_have_better_means(admin: Admin, tmp_path: Path) -> None:
    for other in (
        {"STAGEDOOR_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/x"},
        {"STAGEDOOR_BLOBS_URL": "s3://bucket/masters"},
    ):
        for verb in ("backup", "restore"):
            done = admin(verb, str(tmp_path / "b"), **other)
            assert done.returncode == 1
            assert "docs/operations.md" in done.stderr


async def test_a_copy_under_load_is_of_one_moment(
    stack: Core, tmp_path: Path, admin: Admin
) -> None:
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            await stack.task(f"USRC2{number:07d}")
            number += 1

    writer = asyncio.create_task(write())
    done = await asyncio.to_thread(admin, "backup", str(tmp_path / "b"))
    stop.set()
    await writer
    assert done.returncode == 0, done.stderr
    async with open_core(f"sqlite+aiosqlite:///{tmp_path / 'b/stagedoor.db'}") as copy:
        rows, kept = await copy.use_cases.executor.read(
            lambda c: (
                c.execute(select(func.count()).select_from(import_tasks)).scalar_one(),
                c.execute(
                    text("SELECT sum(n) FROM totals WHERE collection = 'import_tasks'")
                ).scalar_one(),
            )
        )
    assert rows == (kept or 0)
