"""The bytes of an upload that come in several goes, each where the last one ended."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from services.api.domain.task import Master
from services.api.use_cases.receiving import Md5Differs, ReceiveError, TooLarge, gathered

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from hashlib import _Hash as Hash

    from services.api.domain.uploads import Upload
    from services.api.use_cases.receiving import Receiving
    from services.api.use_cases.uploads import Uploads
    from shared.blobs.base import BlobStore, GrowingBlob

SAFE_EVERY: Final = 16 * 1024 * 1024
"""After so many bytes what has come is made safe: a killed process loses no more."""


class OffsetDiffers(ReceiveError):  # noqa: N818 - what the bytes are
    """They are not those that come next."""


class ChecksumDiffers(ReceiveError):  # noqa: N818 - what the bytes are
    """This go's bytes are not those that were declared; they are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """One go: where its bytes begin, and if it is told their checksum, a ``hashlib`` name too."""

    offset: int
    algorithm: str = ""
    checksum: bytes = b""


@dataclass(frozen=True, slots=True)
class Appending:
    """Takes the bytes of uploads in goes; what has come stays when one breaks off."""

    receiving: Receiving

    @property
    def uploads(self) -> Uploads:
        """What the bytes are for."""
        return self.receiving.uploads

    async def offset(self, upload: Upload) -> int:
        """How many bytes have come safely. Raises BlobError."""
        return await self.receiving.store.grown(upload.drop_key)

    async def append(self, upload: Upload, pieces: AsyncGenerator[bytes], go: Go) -> int:
        """Add the bytes of a go; with the last of them the upload is settled.

        Gives how many have come. The upload's size must be declared. Raises what ``pieces`` raises,
        ReceiveError, BlobError, and as Receiving.take_over.
        """
        growth = _Growth(self.receiving.store, upload.drop_key, go)
        try:
            await asyncio.to_thread(growth.open)
            async with aclosing(pieces):
                async for piece in gathered(pieces):
                    if growth.offset + len(piece) > upload.most:
                        raise TooLarge(f"The file may have {upload.most} bytes.")
                    await asyncio.to_thread(growth.write, piece)
            await asyncio.to_thread(growth.check)
            if growth.offset < upload.most:
                return growth.offset
            master = await asyncio.to_thread(growth.finish, upload)
        finally:
            await asyncio.to_thread(growth.end)
        await self.receiving.take_over(upload, master)
        return master.size_bytes


@dataclass(slots=True)
class _Growth:
    """One go; every step blocks, and holds the lock in its thread, as in receiving."""

    store: BlobStore
    key: str
    go: Go
    offset: int = 0
    _hash: Hash | None = None
    _safe: int = 0
    _lock: Lock = field(default_factory=Lock)
    _stack: ExitStack = field(default_factory=ExitStack)
    _blob: GrowingBlob | None = None

    def open(self) -> None:
        """Go on with the blob. Raises OffsetDiffers, BlobError."""
        with self._lock:
            blob = self._stack.enter_context(self.store.grow(self.key))
            if blob.offset != self.go.offset:
                raise OffsetDiffers(f"The next byte is that at {blob.offset}.")
            self._blob, self.offset, self._safe = blob, blob.offset, blob.offset
            if self.go.algorithm:
                self._hash = hashlib.new(self.go.algorithm, usedforsecurity=False)

    def write(self, piece: bytes) -> None:
        """Append bytes. Raises BlobError."""
        with self._lock:
            if self._blob is None:
                return
            self._blob.write(piece)
            self.offset += len(piece)
            if self._hash is not None:
                self._hash.update(piece)
            elif self.offset - self._safe >= SAFE_EVERY:
                self._keep()

    def check(self) -> None:
        """Make safe what has come, unless its checksum is wrong. Raises ChecksumDiffers."""
        with self._lock:
            if self._hash is not None and self._hash.digest() != self.go.checksum:
                raise ChecksumDiffers("The bytes have another checksum.")
            self._hash = None
            self._keep()

    def finish(self, upload: Upload) -> Master:
        """Prove all bytes, and publish them. Raises Md5Differs, and nothing is left of them."""
        with self._lock:
            if self._blob is None:
                raise OffsetDiffers("This go has ended.")
            md5 = self._blob.md5()
            if upload.declared_md5 not in {None, md5}:
                self._blob.cut(0)
                self._keep()
                raise Md5Differs(f"The bytes have the MD5 {md5}, not {upload.declared_md5}.")
            self._blob.commit()
            self._blob = None
            return Master(blob_key=self.key, size_bytes=self.offset, md5=md5)

    def end(self) -> None:
        """Let go of the blob; what has come without a wrong checksum is safe."""
        with self._lock:
            try:
                if self._hash is None:
                    self._keep()
            finally:
                self._blob = None
                self._stack.close()

    def _keep(self) -> None:
        if self._blob is not None and self._blob.offset != self._safe:
            self._blob.sync()
            self._safe = self._blob.offset
