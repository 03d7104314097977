"""Stores and hashes what arrives, away from the event loop, one batch behind the network."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from shared.blobs.base import BlobSink

# A hop to a thread costs about as much as hashing 64 KiB, so bytes travel in larger loads.
BATCH_BYTES = 1024 * 1024


class HashingWriter:
    """Writes blocks to a sink and keeps the MD5 of them; an async context manager.

    While one batch is written and hashed, the next one gathers: at most two are in memory. An
    error of the sink comes out of a later ``write`` or of ``flush``. Leaving the block waits for
    the threads, so that the sink can be aborted safely.
    """

    def __init__(self, sink: BlobSink) -> None:
        self._sink = sink
        self._begin()
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start with what the sink holds: nothing."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what is under way, whatever became of it."""
        if self._working is not None:
            await asyncio.wait({self._working})
            self._working.exception()  # seen: what ended the block matters more

    @property
    def offset(self) -> int:
        """How many bytes were taken since the start or the last restart."""
        return self._offset

    async def write(self, block: bytes) -> None:
        """Take a block. Raises NoSpace, StoreUnavailable."""
        self._blocks.append(block)
        self._gathered += len(block)
        self._offset += len(block)
        if self._gathered >= BATCH_BYTES:
            await self._hand_over()

    async def flush(self) -> str:
        """Return the MD5 of all bytes, in hex, once the sink has taken them. Raises as write."""
        if self._gathered:
            await self._hand_over()
        await self._settle()
        return self._md5.hexdigest()

    async def restart(self) -> None:
        """Throw everything away and begin at offset 0."""
        await self._settle()
        await self._sink.restart()
        self._begin()

    def _begin(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._blocks: list[bytes] = []
        self._gathered = self._offset = 0

    async def _hand_over(self) -> None:
        await self._settle()
        batch = b"".join(self._blocks)
        self._blocks, self._gathered = [], 0
        self._working = asyncio.create_task(self._store(batch))

    async def _settle(self) -> None:
        if self._working is not None:
            # wait(), unlike await, does not pass our cancellation on to the task.
            await asyncio.wait({self._working})
            working, self._working = self._working, None
            working.result()

    async def _store(self, batch: bytes) -> None:
        hashing = asyncio.create_task(asyncio.to_thread(self._md5.update, batch))
        try:
            await self._sink.write(batch)
        finally:
            await hashing
