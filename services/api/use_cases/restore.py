"""Bringing a backup into an empty data folder.

The streams of the broker are not part of a backup: what they hold only says that something is due,
and the rows say that too. So the restored system finishes what was running when it was saved.
"""

from __future__ import annotations

import fcntl
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.db import schema
from services.api.db.sqlite_copy import is_sound
from services.api.use_cases.manifest import (
    BLOBS,
    DATABASE,
    SECRETS,
    SUMS,
    BackupRefused,
    copy_private,
    read_manifest,
)
from services.api.use_cases.named import digest
from shared.blobs.base import BlobMissing, StoreUnavailable
from shared.blobs.local import LocalStore
from shared.durable import sync
from shared.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK = "lock"
"""A running stack holds it."""
PARTIAL = "restore.partial"
"""The folder in which things are gathered; while it is there, no stack starts."""
_OURS = {LOCK, PARTIAL, BLOBS, DATABASE, *SECRETS}


@dataclass(slots=True)
class Restored:
    """How much came back, and how much did not."""

    blobs: int = 0
    bytes: int = 0
    wrong: int = 0


async def restore(backup: Path, data_dir: Path, complain: Callable[[str], None]) -> Restored:
    """Bring a backup back; bytes that are not as they were saved are told, and left out.

    Raises BackupRefused, and NoSpace and OSError of the folder.
    """
    manifest = read_manifest(backup)
    if not schema.is_known(manifest.revision):
        raise BackupRefused(f"A newer version made it, with tables at {manifest.revision}.")
    with _held(data_dir):
        staging = _empty(data_dir)
        restored = await _restore_bytes(backup, LocalStore(staging / BLOBS), complain)
        restored.wrong += len(manifest.wrong)
        for name in (*SECRETS, DATABASE):
            if name in manifest.files:
                copy_private(backup / name, staging / name)
        if not is_sound(staging / DATABASE):
            raise BackupRefused("SQLite finds faults in the database (PRAGMA quick_check).")
        _settle(staging, data_dir)
    return restored


async def _restore_bytes(
    backup: Path, target: LocalStore, complain: Callable[[str], None]
) -> Restored:
    source, restored = LocalStore(backup / BLOBS), Restored()
    with (backup / SUMS).open() as lines:
        for line in lines:
            md5, _, path = line.rstrip("\n").partition("  ")
            key = path.removeprefix(f"{BLOBS}/")
            size = await _copy(source, target, key, md5)
            if size is None:
                restored.wrong += 1
                complain(f"{key}: not in the backup as it was saved.")
            else:
                restored.blobs += 1
                restored.bytes += size
    return restored


async def _copy(source: LocalStore, target: LocalStore, key: str, md5: str) -> int | None:
    """Copy bytes; gives their size, None for others than were saved."""
    with target.create(key) as sink:

        async def take(chunk: bytes) -> None:
            sink.write(chunk)

        try:
            size, found = await digest(source, key, take)
        except (BlobMissing, StoreUnavailable):
            return None
        if found != md5:
            return None
        sink.commit()
    return size


@contextmanager
def _held(data_dir: Path) -> Iterator[None]:
    """Keep stacks, and other restores, out of the folder."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(f"A stack runs in {data_dir}.") from None
        yield


def _empty(data_dir: Path) -> Path:
    """The staging folder, anew; what a restore that was cut short has left goes."""
    there = {path.name for path in data_dir.iterdir()}
    if there - ({LOCK} if PARTIAL not in there else _OURS):
        raise BackupRefused(f"{data_dir} is not empty.")
    staging = data_dir / PARTIAL
    for name in there - {LOCK, PARTIAL}:
        _remove(data_dir / name)
    _remove(staging)
    staging.mkdir(mode=0o700)
    sync(data_dir)
    return staging


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _settle(staging: Path, data_dir: Path) -> None:
    """Put everything in its place, each durably before the next; the staging folder goes last."""
    for name in (BLOBS, *SECRETS, DATABASE):
        if (staging / name).exists():
            (staging / name).rename(data_dir / name)
            sync(data_dir)
            reach("restore.moved")
    staging.rmdir()
    sync(data_dir)
