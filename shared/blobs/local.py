"""Blobs in a local folder."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from shared.blobs.base import (
    NOTE_SUFFIX,
    PART_SUFFIX,
    BlobInfo,
    BlobMissing,
    Leftover,
    check_key,
    check_prefix,
)
from shared.blobs.growing import GrowingPart, noted
from shared.blobs.part import LocalSink, disk_errors, note_of, part_of, remove

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from datetime import timedelta

_LISTED_AT_ONCE = 1000
_CHUNK_BYTES = 4 * 1024 * 1024


class LocalStore:
    """Blobs under ``root``, which is made when first written to.

    Works on any POSIX file system whose rename is atomic; the part is always on the same one.
    """

    buffer_bytes = 0

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @contextmanager
    def create(self, key: str) -> Iterator[LocalSink]:
        """Open a sink; see BlobStore. Raises FileExistsError if the key is being written."""
        sink = LocalSink(self._root, self._path(key))
        try:
            sink.open()
            yield sink
        finally:
            sink.end()

    @contextmanager
    def grow(self, key: str) -> Iterator[GrowingPart]:
        """Go on with a blob; see BlobStore."""
        part = GrowingPart(self._root, self._path(key))
        try:
            part.open()
            yield part
        finally:
            part.end()

    async def grown(self, key: str) -> int:
        """Return how many bytes are safe; see BlobStore."""
        with disk_errors():
            return await asyncio.to_thread(noted, self._path(key))

    def leftovers(self, prefix: str) -> Iterator[Leftover]:
        """Find noted parts; see BlobStore."""
        return self._leftovers(self._root / check_prefix(prefix))

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        """Give the file itself; see BlobStore."""
        await self.size(key)
        yield self._path(key)

    async def chunks(self, key: str) -> AsyncGenerator[bytes]:
        """Read the blob; see BlobStore."""
        path = self._path(key)
        with disk_errors():
            try:
                file = await asyncio.to_thread(path.open, "rb", buffering=0)
            except FileNotFoundError:
                raise BlobMissing(key) from None
            with file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield chunk

    async def size(self, key: str) -> int:
        """Return the size in bytes; see BlobStore."""
        path = self._path(key)
        with disk_errors():
            try:
                return (await asyncio.to_thread(path.stat)).st_size
            except FileNotFoundError:
                raise BlobMissing(key) from None

    async def delete(self, key: str) -> None:
        """Remove the blob, its part and its note; see BlobStore."""
        path = self._path(key)
        with disk_errors():
            await asyncio.to_thread(remove, self._root, path)

    async def keys(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """List blobs, parts and notes; see BlobStore."""
        found = self._walk(check_prefix(prefix))
        while batch := await asyncio.to_thread(list, islice(found, _LISTED_AT_ONCE)):
            for info in batch:
                yield info

    async def link(self, key: str, *, lasting: timedelta, filename: str) -> str | None:  # noqa: ARG002 - the interface of all stores
        """Return None; see BlobStore."""
        check_key(key)
        return None

    async def drop_link(self, key: str, *, lasting: timedelta) -> str | None:  # noqa: ARG002 - the interface of all stores
        """Return None; see BlobStore."""
        check_key(key)
        return None

    async def room(self) -> int | None:
        """Return what the file system has free for us; see BlobStore."""
        with disk_errors():
            return await asyncio.to_thread(self._room)

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _room(self) -> int:
        # The nearest folder that exists: the root is made with the first blob.
        for folder in (self._root, *self._root.parents):
            with suppress(FileNotFoundError):
                free = os.statvfs(folder)
                return free.f_bavail * free.f_frsize
        raise FileNotFoundError(self._root)

    def _leftovers(self, top: Path) -> Iterator[Leftover]:
        for folder, _, names in os.walk(top):
            for name in names:
                if name.endswith(NOTE_SUFFIX):
                    found = self._leftover(Path(folder, name.removesuffix(NOTE_SUFFIX)))
                    if found is not None:
                        yield found

    def _leftover(self, path: Path) -> Leftover | None:
        with disk_errors(), suppress(FileNotFoundError):  # went away since it was listed
            note = note_of(path).read_bytes().rstrip(b"\0")
            if note and part_of(path).exists():
                key = os.fspath(path.relative_to(self._root))
                return Leftover(key=key, note=note, part=part_of(path))
        return None

    def _walk(self, prefix: str) -> Iterator[BlobInfo]:
        for folder, _, names in os.walk(self._root / prefix):
            found: dict[str, list[os.stat_result]] = {}
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - a scrub walks millions; Path costs ten times as much
                with suppress(FileNotFoundError):  # deleted since it was listed
                    stat = os.stat(path)  # noqa: PTH116 - as above
                    found.setdefault(_blob_of(path), []).append(stat)
            for path, stats in found.items():
                yield BlobInfo(
                    key=os.path.relpath(path, self._root),
                    size=sum(stat.st_size for stat in stats),
                    modified=datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC),
                )


def _blob_of(path: str) -> str:
    return path.removesuffix(NOTE_SUFFIX).removesuffix(PART_SUFFIX)
