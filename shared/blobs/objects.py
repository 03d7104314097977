"""Blobs in an object store: S3 and what speaks like it, Google Cloud Storage, Azure."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from shared.blobs.base import BlobInfo, BlobMissing, StoreUnavailable, check_key, check_prefix
from shared.blobs.part import PartSink, space_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from obstore.store import ObjectStore as Backend

_PART_BYTES = 8 * 1024 * 1024
# S3 takes at most 10,000 parts in an upload.
_MAX_PARTS = 9_000
_READ_BYTES = 4 * 1024 * 1024


@contextmanager
def _store_errors(reading: str | None = None) -> Iterator[None]:
    """Translate; what is not found is the blob if one is being read, else the bucket."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        if reading is not None and isinstance(error, FileNotFoundError):
            raise BlobMissing(reading) from None
        raise StoreUnavailable("The object store did not do it.") from error


class ObjectStore:
    """Blobs as objects under the prefix of ``backend``.

    ``scratch`` holds a blob on its way in or out; what is on its way in has no name there, so that
    even a killed process leaves nothing.
    """

    def __init__(self, backend: Backend, scratch: Path) -> None:
        self._backend = backend
        self._scratch = scratch

    @asynccontextmanager
    async def create(self, key: str) -> AsyncIterator[ObjectSink]:
        """Open a sink; see BlobStore."""
        sink = ObjectSink(self._backend, check_key(key), self._scratch)
        try:
            await asyncio.to_thread(sink.open)
            yield sink
        finally:
            await sink.close()

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        """Fetch the object into the scratch folder; see BlobStore. Raises NoSpace."""
        check_key(key)
        with _store_errors(reading=key):
            response = await obstore.get_async(self._backend, key)
        sink = ScratchFile(self._scratch)
        try:
            await asyncio.to_thread(sink.open)
            with _store_errors(reading=key):
                async for chunk in response.stream(min_chunk_size=_READ_BYTES):
                    await sink.write(bytes(chunk))
            yield sink.path
        finally:
            await asyncio.to_thread(sink.remove)

    async def size(self, key: str) -> int:
        """Return the size in bytes; see BlobStore."""
        with _store_errors(reading=key):
            return (await obstore.head_async(self._backend, check_key(key)))["size"]

    async def delete(self, key: str) -> None:
        """Remove the object; see BlobStore."""
        with suppress(BlobMissing), _store_errors(reading=key):
            await obstore.delete_async(self._backend, check_key(key))

    async def keys(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """List objects; see BlobStore."""
        with _store_errors():
            async for batch in obstore.list(self._backend, check_prefix(prefix) or None):
                for item in batch:
                    yield BlobInfo(
                        key=item["path"], size=item["size"], modified=item["last_modified"]
                    )


class ObjectSink(PartSink):
    """A nameless file that is uploaded by ``commit``; see BlobSink."""

    def __init__(self, backend: Backend, key: str, scratch: Path) -> None:
        super().__init__()
        self._backend = backend
        self._key = key
        self._scratch = scratch
        self._uploading = False

    def open(self) -> None:
        """Make the nameless file. Blocks. Raises NoSpace."""
        with self._lock, space_errors():
            if self._closed:
                return
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._scratch) as file:
                self._descriptor = os.dup(file.fileno())

    async def commit(self) -> None:
        """Upload the object, whole or not at all; see BlobSink."""
        self._uploading = True
        await asyncio.to_thread(os.lseek, self._descriptor, 0, os.SEEK_SET)
        with (
            open(self._descriptor, "rb", buffering=0, closefd=False) as file,  # noqa: ASYNC230 - wraps a descriptor, opens nothing
            _store_errors(),
        ):
            await obstore.put_async(
                self._backend,
                self._key,
                file,
                chunk_size=max(_PART_BYTES, self._offset // _MAX_PARTS),
            )
        self.committed = True

    async def close(self) -> None:
        """Free the file, and the object if a cancelled or failed upload may have made it."""
        await asyncio.to_thread(self._free)
        if self._uploading and not self.committed:
            with suppress(StoreUnavailable), _store_errors():
                await obstore.delete_async(self._backend, self._key)

    def _free(self) -> None:
        with self._lock:
            self._close()


class ScratchFile(PartSink):
    """A named file that holds a copy for as long as it is read."""

    path: Path

    def __init__(self, scratch: Path) -> None:
        super().__init__()
        self._scratch = scratch

    def open(self) -> None:
        """Make the file. Blocks. Raises NoSpace."""
        with self._lock, space_errors():
            if self._closed:
                return
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor, name = tempfile.mkstemp(dir=self._scratch, prefix="copy-")
            self.path = Path(name)

    def remove(self) -> None:
        """Remove the file. Blocks."""
        with self._lock:
            if self._descriptor >= 0:
                self._close()
                self.path.unlink(missing_ok=True)
