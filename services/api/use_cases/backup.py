"""A backup of the embedded stack, beside the running one.

The database comes first, of one moment, then the bytes that it names. What the running stack
deleted in between is no loss, but the copy names it: then a later copy of the database takes its
place, until everything that the copy names was there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from services.api.db import blob_rows, schema
from services.api.db.engine import is_sqlite, open_engines
from services.api.db.executor import Executor
from services.api.db.sqlite_copy import copy_sqlite, count_rows, is_sound
from services.api.use_cases.manifest import (
    BLOBS,
    DATABASE,
    FORMAT,
    PAGE,
    SECRETS,
    SUMS,
    BackupRefused,
    File,
    Loss,
    Manifest,
    copy_private,
    describe,
    write_manifest,
)
from services.api.use_cases.named import all_named, check, is_needed
from shared.blobs.base import BlobMissing
from shared.blobs.local import LocalStore
from shared.durable import sync
from shared.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from services.api.db.named_rows import Named
    from services.api.use_cases.named import Finding
    from shared.blobs.base import BlobStore

ROUNDS = 5
PARTIAL = ".partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folder to make, and that with the secret files; None if they are kept elsewhere."""

    target: Path
    secrets: Path | None


@dataclass(slots=True)
class _Saved:
    """What one round saved."""

    gone: int = 0
    losses: list[Loss] = field(default_factory=list)


def require_embedded(database_url: str, blobs_url: str) -> None:
    """Raise BackupRefused for a database or store that has better means of its own."""
    if not is_sqlite(database_url) or not blobs_url.startswith("file:"):
        raise BackupRefused(
            f"This is for SQLite and a store in a folder; for others {PAGE} says what to do."
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """Makes one backup."""

    executor: Executor
    store: BlobStore
    places: Places

    async def run(self, complain: Callable[[str], None]) -> Manifest:
        """Save everything; what is not right is told, and left out.

        Raises BackupRefused, Unavailable, and NoSpace and OSError of the folder.
        """
        target = self.places.target
        if target.exists():
            raise BackupRefused(f"{target} is there already.")
        with _partial(target) as folder:
            manifest = await self._fill(folder, complain)
            write_manifest(folder, manifest)
            folder.rename(target)
        sync(target.parent)
        return manifest

    async def _fill(self, folder: Path, complain: Callable[[str], None]) -> Manifest:
        for _ in range(ROUNDS):
            await self._save_database(folder / DATABASE)
            async with _opened(folder / DATABASE) as copy:
                saved = await self._save_bytes(copy, LocalStore(folder / BLOBS))
            if not saved.gone:
                break
        for loss in saved.losses:
            complain(f"{loss.name} {loss.key}: {loss.detail}")
        async with _opened(folder / DATABASE) as copy:
            number, total = await _list(copy, folder)
            rows = await copy.read(count_rows)
            revision = await copy.read(schema.revision)
        self._save_secrets(folder)
        return Manifest(
            format=FORMAT,
            version=version("stagedoor"),
            revision=str(revision),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files=_describe_all(folder),
            rows=rows,
            blobs=number,
            bytes=total,
            wrong=saved.losses,
        )

    async def _save_database(self, path: Path) -> None:
        _clear(path)
        await copy_sqlite(self.executor.engines, path)
        if not is_sound(path):
            raise BackupRefused("SQLite finds faults in the database (PRAGMA quick_check).")
        sync(path)

    async def _save_bytes(self, copy: Executor, target: LocalStore) -> _Saved:
        """Save what a copy names and an earlier round did not."""
        saved = _Saved()
        async for named in all_named(copy):
            if await _has(target, named):
                continue
            finding = await self._save(named, target)
            reach("backup.saved")
            if finding is None:
                continue
            if not await is_needed(self.executor, named):
                saved.gone += 1
            saved.losses.append(Loss(named.key, named.name, finding.detail))
        return saved

    async def _save(self, named: Named, target: LocalStore) -> Finding | None:
        with target.create(named.key) as sink:

            async def take(chunk: bytes) -> None:
                sink.write(chunk)

            finding = await check(self.store, named, take)
            if finding is None:
                sink.commit()
        return finding

    def _save_secrets(self, folder: Path) -> None:
        for name in SECRETS:
            if self.places.secrets and (self.places.secrets / name).is_file():
                copy_private(self.places.secrets / name, folder / name)


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[Executor]:
    engines = open_engines(f"sqlite+aiosqlite:///{path}")
    try:
        yield Executor(engines, lambda _: None)
    finally:
        await engines.dispose()


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """The folder that becomes the backup, emptied of what a dead one left; ours alone."""
    folder = target.with_name(target.name + PARTIAL)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield folder
    except BlockingIOError:
        raise BackupRefused(f"Another backup is being written to {folder}.") from None
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    """Make an empty file that only its owner can read, in the place of an earlier copy."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)


async def _has(target: LocalStore, named: Named) -> bool:
    try:
        return await target.size(named.key) == named.size
    except BlobMissing:
        return False


async def _list(copy: Executor, folder: Path) -> tuple[int, int]:
    """Write MD5SUMS and drop what the last copy does not name; how many there are, and bytes."""
    target, number, total = LocalStore(folder / BLOBS), 0, 0
    async for info in target.keys():
        key = info.key
        if not await copy.read(lambda c: blob_rows.keys_in_use(c, {key})):  # noqa: B023 - awaited
            await target.delete(key)
    with (folder / SUMS).open("w") as sums:
        async for named in all_named(copy):
            if await _has(target, named):
                sums.write(f"{named.md5}  {BLOBS}/{named.key}\n")
                number, total = number + 1, total + named.size
    sync(folder / SUMS)
    return number, total


def _describe_all(folder: Path) -> dict[str, File]:
    names = [DATABASE, SUMS, *(name for name in SECRETS if (folder / name).exists())]
    return {name: describe(folder / name) for name in names}
