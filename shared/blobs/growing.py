"""A blob in a local folder that gathers over several goes, also of different processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from shared.blobs.base import NOTE_SUFFIX, BlobBusy
from shared.blobs.part import LocalSink, disk_errors, open_part

_CHUNK_BYTES = 4 * 1024 * 1024


class GrowingPart(LocalSink):
    """The part that a dead go left is the beginning of the next; see GrowingBlob.

    The note says how many bytes are safe: what lies behind them is thrown away.
    """

    def open(self) -> None:
        """Make the part file, or go on with it. Raises BlobBusy while another go has it."""
        with disk_errors():
            self._descriptor = open_part(self._part, os.O_RDWR)
            if not self._lock():
                raise BlobBusy("Another go at these bytes is under way.")
            self.cut(min(noted(self._path), os.fstat(self._descriptor).st_size))

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had the lock before may have published or removed the file.
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._part))  # noqa: PTH116 - see LocalSink.__init__
        except (BlockingIOError, FileNotFoundError):
            return False

    def sync(self) -> None:
        """Make safe what was written so far. Raises NoSpace, StoreUnavailable."""
        with disk_errors():
            os.fdatasync(self._descriptor)
        self.note(str(self._offset).encode())

    def cut(self, offset: int) -> None:
        """Throw away what was written behind an offset. Raises StoreUnavailable."""
        with disk_errors():
            os.ftruncate(self._descriptor, offset)
        self._offset = self._handed_over = offset

    def md5(self) -> str:
        """Read all of it and return its MD5 in hexadecimal digits. Raises StoreUnavailable."""
        digest, offset = hashlib.md5(usedforsecurity=False), 0
        with disk_errors():
            while chunk := os.pread(self._descriptor, _CHUNK_BYTES, offset):
                digest.update(chunk)
                offset += len(chunk)
        return digest.hexdigest()

    def commit(self) -> None:
        """Make the blob durable and visible; see BlobSink."""
        self.sync()
        super().commit()

    def end(self) -> None:
        """Let go of it; what is safe stays."""
        self._close()


def noted(path: Path | str) -> int:
    """How many bytes of a growing part are safe: none if nobody has noted any."""
    with suppress(FileNotFoundError, ValueError):
        return int(Path(f"{os.fspath(path)}{NOTE_SUFFIX}").read_bytes().rstrip(b"\0"))
    return 0
