"""A file being written by threads: what the sinks of every store are made of."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from shared.blobs.base import NoSpace

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def space_errors() -> Iterator[None]:
    """Turn a full disk or quota into NoSpace."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace("The disk is full.") from error
        raise


class PartSink:
    """The writing half of a BlobSink, over a file descriptor that the heirs open.

    Every step holds ``_lock`` in its thread: a cancelled caller leaves its thread running, and
    closing the descriptor under a write could let the write hit another file.
    """

    committed = False

    def __init__(self) -> None:
        self._lock = Lock()
        self._descriptor = -1
        self._closed = False
        self._offset = 0

    @property
    def offset(self) -> int:
        """How many bytes were written; see BlobSink."""
        return self._offset

    async def write(self, data: bytes) -> None:
        """Append bytes; see BlobSink."""
        await asyncio.to_thread(self._write, data)
        self._offset += len(data)

    async def restart(self) -> None:
        """Begin at offset 0; see BlobSink."""
        await asyncio.to_thread(self._truncate)
        self._offset = 0

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        with self._lock, space_errors():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def _truncate(self) -> None:
        with self._lock:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)

    def _close(self) -> None:
        """Give the descriptor back, or never open one; the caller holds the lock."""
        self._closed = True
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
