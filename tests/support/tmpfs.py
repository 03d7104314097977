"""A disk of a few megabytes that a test can fill."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_TRIES = 100


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted tmpfs: ``blobs`` is a folder for a store, beside it lies what fills the disk."""

    root: Path

    @property
    def blobs(self) -> Path:
        """Where a store may be."""
        return self.root / "blobs"

    def free(self) -> int:
        """How many bytes are left."""
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize

    def fill(self) -> None:
        """Take all room that is left, though others may still write."""
        with (self.root / "ballast").open("wb") as ballast:
            for _ in range(_TRIES):
                if not (free := self.free()):
                    return
                with suppress(OSError):  # somebody was faster
                    os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, free)
        raise AssertionError("the disk cannot be filled")

    def make_room(self) -> None:
        """Give the room back."""
        (self.root / "ballast").unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """All files of the store."""
        return [path for path in self.blobs.rglob("*") if path.is_file()]


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mount a disk of so many bytes on an empty folder; skips where mounting is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        disk = SmallDisk(folder)
        disk.blobs.mkdir()
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
