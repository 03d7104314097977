"""A folder of this process for copies of blobs that are in a remote store."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from threading import Lock

from shared.blobs.part import disk_errors


def own_scratch(root: Path) -> Path:
    """Make this process's folder below ``root``; remove those that dead processes left there.

    Folders are named by process id, so processes that share ``root`` must share their ids too.
    """
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        if folder.name == str(os.getpid()) or not Path("/proc", folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
    own = root / str(os.getpid())
    own.mkdir(mode=0o700)
    return own


class ScratchFile:
    """A named file that holds a copy for as long as it is read.

    Every step holds ``_lock`` in its thread: a cancelled caller leaves its thread running, and
    closing the descriptor under a write could let the write hit another file.
    """

    path: Path

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._lock = Lock()
        self._descriptor = -1
        self._closed = False

    def open(self) -> None:
        """Make the file. Blocks. Raises NoSpace."""
        with self._lock, disk_errors():
            if self._closed:
                return
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor, name = tempfile.mkstemp(dir=self._scratch, prefix="copy-")
            self.path = Path(name)

    async def write(self, data: bytes) -> None:
        """Append bytes. Raises NoSpace."""
        await asyncio.to_thread(self._write, data)

    def remove(self) -> None:
        """Remove the file. Blocks."""
        with self._lock:
            self._closed = True
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
                self.path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        with self._lock, disk_errors():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
