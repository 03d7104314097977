"""Blobs in a local folder: a part beside its final name, fsync, rename, fsync."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from shared.blobs.base import PART_SUFFIX, BlobInfo, BlobMissing, check_key, check_prefix
from shared.blobs.part import PartSink, space_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_LISTED_AT_ONCE = 1000
# How often a folder may be removed by the end of another run between its making and its use.
_RACES = 10


class LocalStore:
    """Blobs under ``root``, which is made when first written to.

    Works on any POSIX file system whose rename is atomic; the part is always on the same one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def create(self, key: str) -> AsyncIterator[LocalSink]:
        """Open a sink; see BlobStore. Raises FileExistsError if the key is being written."""
        sink = LocalSink(self._root, self._path(key))
        try:
            await asyncio.to_thread(sink.open)
            yield sink
        finally:
            if not sink.committed:
                await asyncio.to_thread(sink.abort)

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        """Give the file itself; see BlobStore."""
        await self.size(key)
        yield self._path(key)

    async def size(self, key: str) -> int:
        """Return the size in bytes; see BlobStore."""
        try:
            return (await asyncio.to_thread(self._path(key).stat)).st_size
        except FileNotFoundError:
            raise BlobMissing(key) from None

    async def delete(self, key: str) -> None:
        """Remove the blob and its part; see BlobStore."""
        await asyncio.to_thread(_remove, self._root, self._path(key))

    async def keys(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """List blobs and abandoned parts; see BlobStore."""
        found = self._walk(check_prefix(prefix))
        while batch := await asyncio.to_thread(list, islice(found, _LISTED_AT_ONCE)):
            for info in batch:
                yield info

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _walk(self, prefix: str) -> Iterator[BlobInfo]:
        for folder, _, names in os.walk(self._root / prefix):
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - a scrub walks millions; Path costs ten times as much
                with suppress(FileNotFoundError):  # deleted since it was listed
                    stat = os.stat(path)  # noqa: PTH116 - as above
                    yield BlobInfo(
                        key=os.path.relpath(path, self._root).removesuffix(PART_SUFFIX),
                        size=stat.st_size,
                        modified=datetime.fromtimestamp(stat.st_mtime, UTC),
                    )


class LocalSink(PartSink):
    """A part file, ``<key>.part``; see BlobSink."""

    def __init__(self, root: Path, path: Path) -> None:
        super().__init__()
        self._root = root
        self._path = path
        self._begun = False

    def open(self) -> None:
        """Make the part file and its folders. Blocks. Raises NoSpace, FileExistsError."""
        with self._lock, space_errors():
            if not self._closed:
                self._descriptor = _open_part(_part_of(self._path))
                self._begun = True

    async def commit(self) -> None:
        """Make the blob durable and visible; see BlobSink."""
        await asyncio.to_thread(self._publish)
        self.committed = True

    def abort(self) -> None:
        """Remove every trace, also of a commit whose caller was cancelled. Blocks."""
        with self._lock:
            self._close()
            if self._begun:  # or it is the part of another run, which made our open fail
                _remove(self._root, self._path)

    def _publish(self) -> None:
        with self._lock, space_errors():
            os.fsync(self._descriptor)
            self._close()
            _part_of(self._path).rename(self._path)
            for folder in _folders(self._root, self._path):
                _sync_folder(folder)


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + PART_SUFFIX)


def _open_part(part: Path) -> int:
    for _ in range(_RACES):
        with suppress(FileNotFoundError):
            part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(part, flags, 0o600)
    raise FileNotFoundError(part.parent)


def _folders(root: Path, path: Path) -> Iterator[Path]:
    """Yield the folders between a blob and the root, innermost first, the root last."""
    for folder in path.parents:
        yield folder
        if folder == root:
            return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(root: Path, path: Path) -> None:
    # In the order of a rename, so that one under way cannot slip through.
    for file in (_part_of(path), path):
        file.unlink(missing_ok=True)
    # A folder that is gone or in use ends the climb: someone else's run keeps it.
    with suppress(OSError):
        for folder in _folders(root, path):
            if folder != root:
                folder.rmdir()
