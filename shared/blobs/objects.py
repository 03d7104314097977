"""Blobs in an object store: S3 and what speaks like it, Google Cloud Storage, Azure."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from shared.blobs.base import (
    BlobInfo,
    BlobMissing,
    CannotGrow,
    StoreUnavailable,
    check_key,
    check_note,
    check_prefix,
)
from shared.blobs.scratch import ScratchFile
from shared.blobs.upload import Upload

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from pathlib import Path

    from obstore.store import AzureStore, GCSStore, S3Store

    from shared.blobs.base import GrowingBlob, Leftover

    Backend = AzureStore | GCSStore | S3Store

_MIB = 1024 * 1024
# The least that S3 takes, so that many downloads fit in memory.
_PART_BYTES = 5 * _MIB
_PARTS_IN_MEMORY = 3
# What S3 and Google Cloud Storage take in one upload; Azure takes five times as many.
_MAX_PARTS = 10_000
_READ_BYTES = 4 * _MIB


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
    """Blobs as objects under the prefix of ``backend``; ``scratch`` holds copies for reading."""

    buffer_bytes = _PARTS_IN_MEMORY * _PART_BYTES

    def __init__(self, backend: Backend, scratch: Path) -> None:
        self._backend = backend
        self._scratch = scratch

    @contextmanager
    def create(self, key: str) -> Iterator[ObjectSink]:
        """Open a sink; see BlobStore."""
        sink = ObjectSink(self._backend, check_key(key))
        try:
            yield sink
        finally:
            sink.end()

    def grow(self, key: str) -> AbstractContextManager[GrowingBlob]:
        """Refuse; see BlobStore."""
        raise CannotGrow(check_key(key))

    async def grown(self, key: str) -> int:
        """Refuse; see BlobStore."""
        raise CannotGrow(check_key(key))

    def leftovers(self, prefix: str) -> Iterator[Leftover]:
        """Give none; see BlobStore."""
        check_prefix(prefix)
        return iter(())

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
            # Whoever stops waiting here, the file goes: a cancelled call that no thread has begun
            # yet would never be made.
            removal = asyncio.get_running_loop().run_in_executor(None, sink.remove)
            await asyncio.shield(removal)

    async def chunks(self, key: str) -> AsyncGenerator[bytes]:
        """Read the object by ranges, so that no answer lasts long; see BlobStore."""
        size, offset = await self.size(key), 0
        while offset < size:
            length = min(_READ_BYTES, size - offset)
            with _store_errors(reading=key):
                chunk = bytes(
                    await obstore.get_range_async(
                        self._backend, check_key(key), start=offset, length=length
                    )
                )
            yield chunk
            offset += length

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

    async def link(self, key: str, *, lasting: timedelta, filename: str) -> str | None:  # noqa: ARG002 - the library signs no parameters, such as the one that would tell S3 the name
        """Return a presigned URL; see BlobStore."""
        with _store_errors():
            return await obstore.sign_async(self._backend, "GET", check_key(key), lasting)

    async def drop_link(self, key: str, *, lasting: timedelta) -> str | None:
        """Return a presigned URL; see BlobStore."""
        with _store_errors():
            return await obstore.sign_async(self._backend, "PUT", check_key(key), lasting)

    async def room(self) -> int | None:
        """Return None; see BlobStore."""
        return None


class ObjectSink:
    """Gathers parts, and uploads them while the next ones come in; see BlobSink.

    An object of less than a part is put at once by ``commit``. What a killed process has uploaded
    of a longer one stays in the store, unseen, until a rule of the bucket removes it.
    """

    def __init__(self, backend: Backend, key: str) -> None:
        self._backend = backend
        self._key = key
        self._offset = 0
        self._part_bytes = _PART_BYTES
        self._part = memoryview(bytearray(_PART_BYTES))
        self._filled = 0
        self._upload: Upload | None = None
        self._publishing = False
        self._committed = False

    @property
    def offset(self) -> int:
        """How many bytes were written; see BlobSink."""
        return self._offset

    def reserve(self, size: int) -> None:
        """Make the parts so long that the store takes them all; see BlobSink."""
        if not self._offset:
            self._part_bytes = part_bytes(size)
            self._part = memoryview(bytearray(self._part_bytes))

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; see BlobSink."""
        rest = memoryview(data)
        while rest:
            taken = min(len(rest), self._part_bytes - self._filled)
            self._part[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            self._offset += taken
            rest = rest[taken:]
            if self._filled == self._part_bytes:
                self._send()

    def restart(self) -> None:
        """Begin at offset 0; see BlobSink."""
        self._abort()
        self._offset = self._filled = 0

    def note(self, text: bytes) -> None:
        """Forget the note; see BlobSink."""
        check_note(text)

    def commit(self) -> None:
        """Make the object visible; see BlobSink."""
        self._publishing = True
        rest = self._part[: self._filled]
        if self._upload is None:
            with _store_errors():
                obstore.put(self._backend, self._key, rest, use_multipart=False)
        else:
            if rest:
                self._upload.send(rest)
            self._upload.finish()
        self._committed = True

    def end(self) -> None:
        """Without a commit that succeeded, take everything back."""
        if self._committed:
            return
        self._abort()
        if self._publishing:  # the store may have done it, and its answer been lost
            with suppress(StoreUnavailable), _store_errors():
                obstore.delete(self._backend, self._key)

    def _send(self) -> None:
        if self._upload is None:
            self._upload = Upload(self._backend, self._key, self._part_bytes)
        self._upload.send(self._part)
        self._part, self._filled = memoryview(bytearray(self._part_bytes)), 0

    def _abort(self) -> None:
        if self._upload is not None:
            self._upload.abort()
            self._upload = None


def part_bytes(size: int) -> int:
    """Return how long the parts of an upload of ``size`` bytes are, in whole MiB.

    At most three are in memory, 15 MiB for objects of up to 48 GiB.
    """
    needed = -(-size // _MAX_PARTS)
    return max(_PART_BYTES, -(-needed // _MIB) * _MIB)
