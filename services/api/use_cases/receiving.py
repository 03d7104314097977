"""Bytes on their way into the store: in constant memory, counted and hashed as they come.

ReceiveError
├── TooLarge     more bytes than the upload may have
├── SizeDiffers  not as many as were declared
├── Md5Differs   not those that were declared
└── NoCover      no picture that may be a cover
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from uuid_utils.compat import uuid7

from services.api.domain.covers import THUMBNAIL_SIDE, wrong_size
from services.api.domain.task import Master
from services.api.domain.uploads import KINDS
from services.api.pictures.reading import NoPicture
from services.api.use_cases.covers import Proven

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from hashlib import _Hash as Hash

    from services.api.domain.uploads import Upload
    from services.api.pictures.reading import Pictures
    from services.api.use_cases.uploads import Uploads
    from shared.blobs.base import BlobSink, BlobStore

GATHERED: Final = 1024 * 1024
"""So many bytes are handed over at once: a thread for each packet would cost more than its work."""


class ReceiveError(Exception):
    """The bytes are not those that were expected; ``detail`` says it in one sentence."""

    def __init__(self, detail: str) -> None:
        """Take the sentence."""
        super().__init__(detail)
        self.detail = detail


class TooLarge(ReceiveError):  # noqa: N818 - what the bytes are
    """There are more than the upload may have."""


class SizeDiffers(ReceiveError):  # noqa: N818 - what the bytes are
    """There are not as many as were declared."""


class Md5Differs(ReceiveError):  # noqa: N818 - what the bytes are
    """They have another MD5 than was declared."""


class NoCover(ReceiveError):  # noqa: N818 - what the bytes are
    """They are no picture that may be a cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a sender says of the bytes, beside what was declared before; the MD5 is hexadecimal."""

    size: int | None = None
    md5: str | None = None


NOTHING: Final = Said()


@dataclass(frozen=True, slots=True)
class Receiving:
    """Takes the bytes of uploads into a store; nothing is left of those that it refuses."""

    uploads: Uploads
    store: BlobStore
    pictures: Pictures

    async def receive(
        self, upload: Upload, pieces: AsyncGenerator[bytes], said: Said = NOTHING
    ) -> Upload:
        """Store all the bytes, prove them, and settle the upload.

        Raises what ``pieces`` raises, ReceiveError, BlobError, and as Uploads.settle.
        """
        master = await self.store_all(upload, pieces, said)
        return await self.take_over(upload, master)

    async def store_all(
        self, upload: Upload, pieces: AsyncGenerator[bytes], said: Said = NOTHING
    ) -> Master:
        """The stored bytes, as ``receive``; nobody knows of them yet."""
        pouring = _Pouring(self.store, upload.key(uuid7()))
        try:
            await asyncio.to_thread(pouring.open, said.size or upload.declared_size or 0)
            async with aclosing(pieces):
                async for piece in gathered(pieces):
                    if pouring.size + len(piece) > upload.most:
                        raise TooLarge(f"The file may have {upload.most} bytes.")
                    await asyncio.to_thread(pouring.write, piece)
            _prove(upload, said, pouring.size, pouring.md5)
            await asyncio.to_thread(pouring.commit)
        finally:
            await asyncio.to_thread(pouring.end)
        return pouring.master

    async def take_over(self, upload: Upload, master: Master) -> Upload:
        """Settle an upload whose bytes are stored and proven, of a cover by decoding it, too.

        Raises NoCover, BlobError, and as Uploads.settle; the bytes are doomed then.
        """
        if not KINDS[upload.kind].is_cover:
            return await self.uploads.settle(upload.id, master)
        try:
            async with self.store.local_copy(master.blob_key) as path:
                picture = await self.pictures.read(path, THUMBNAIL_SIDE)
            wrong = wrong_size(picture.width, picture.height)
        except NoPicture as error:
            wrong = str(error)
        if wrong is not None:
            await self.uploads.discard(master)
            raise NoCover(wrong)
        proven = Proven(
            media_type=picture.media_type,
            width=picture.width,
            height=picture.height,
            thumbnail=await self._keep(upload, picture.thumbnail),
        )
        return await self.uploads.settle(upload.id, master, proven)

    async def _keep(self, upload: Upload, data: bytes) -> Master:
        """Store a few bytes of our own."""
        pouring = _Pouring(self.store, upload.key(uuid7()))
        try:
            await asyncio.to_thread(pouring.open, len(data))
            await asyncio.to_thread(pouring.write, data)
            await asyncio.to_thread(pouring.commit)
        finally:
            await asyncio.to_thread(pouring.end)
        return pouring.master


async def gathered(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes in larger pieces; where they break off, all that came before that."""
    some, broken = bytearray(), None
    try:
        async for piece in pieces:
            some += piece
            if len(some) >= GATHERED:
                yield bytes(some)
                some.clear()
    except Exception as error:  # noqa: BLE001 - raised again, once all bytes are handed over
        broken = error
    if some:
        yield bytes(some)
    if broken is not None:
        raise broken


def _prove(upload: Upload, said: Said, size: int, md5: str) -> None:
    for expected in (upload.declared_size, said.size):
        if expected not in {None, size}:
            raise SizeDiffers(f"There are {size} bytes, not {expected}.")
    for declared in (upload.declared_md5, said.md5):
        if declared not in {None, md5}:
            raise Md5Differs(f"The bytes have the MD5 {md5}, not {declared}.")


def _md5() -> Hash:
    return hashlib.md5(usedforsecurity=False)


@dataclass(slots=True)
class _Pouring:
    """One go; every step blocks, and holds the lock in its thread.

    A caller who is cancelled leaves its thread at work: the end must not come in between.
    """

    store: BlobStore
    key: str
    size: int = 0
    _hash: Hash = field(default_factory=_md5)
    _lock: Lock = field(default_factory=Lock)
    _stack: ExitStack = field(default_factory=ExitStack)
    _sink: BlobSink | None = None
    _ended: bool = False

    @property
    def master(self) -> Master:
        """What was written."""
        return Master(blob_key=self.key, size_bytes=self.size, md5=self.md5)

    @property
    def md5(self) -> str:
        """Of what was written."""
        return self._hash.hexdigest()

    def open(self, size: int) -> None:
        """Begin, with room for so many bytes if that is known. Raises BlobError."""
        with self._lock:
            if not self._ended:
                self._sink = self._stack.enter_context(self.store.create(self.key))
                self._sink.reserve(size)

    def write(self, piece: bytes) -> None:
        """Append bytes. Raises BlobError."""
        with self._lock:
            if self._sink is not None and not self._ended:
                self._sink.write(piece)
                self._hash.update(piece)
                self.size += len(piece)

    def commit(self) -> None:
        """Make them durable and visible. Raises BlobError."""
        with self._lock:
            if self._sink is not None and not self._ended:
                self._sink.commit()

    def end(self) -> None:
        """Give everything back; what was not committed is gone."""
        with self._lock:
            self._ended = True
            self._stack.close()
