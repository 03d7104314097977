"""Stores what arrives while a second thread hashes it, so that the slower of the two sets the pace.

Memory goes round: the network fills a block, the sink takes it, and the hash gives it back.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from shared.blobs.base import BlobSink

    Release = Callable[[], None]

# Fits the second-level cache: it is still there when it is hashed.
BLOCK_BYTES = 256 * 1024
RING_BLOCKS = 8
# A thread costs about as much as hashing this.
INLINE_BYTES = 1024 * 1024
CHECKPOINT_BYTES = 4 * 1024 * 1024
CHECKPOINT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The MD5 (hex) of the first ``offset`` bytes."""

    offset: int
    md5: str


class HashingWriter:
    """Writes to a sink and keeps the MD5 of it; a context manager, for one thread at a time.

    ``checkpoint`` is the latest of those made every few megabytes and every second.
    """

    def __init__(self, sink: BlobSink) -> None:
        self._sink = sink
        self._thread: threading.Thread | None = None
        self._filled: SimpleQueue[tuple[memoryview, Release] | None] = SimpleQueue()
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._blocks = 0
        self._begin()

    def __enter__(self) -> Self:
        """Start with what the sink holds: nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread."""
        if self._thread is not None:
            self._filled.put(None)
            self._thread.join()

    def block(self) -> memoryview:
        """Return memory to fill, BLOCK_BYTES of it, once some is free."""
        try:
            return self._free.get_nowait()
        except Empty:
            if self._blocks == RING_BLOCKS:
                return self._free.get()
            self._blocks += 1
            return memoryview(bytearray(BLOCK_BYTES))

    def write_block(self, block: memoryview, size: int) -> None:
        """Take the first bytes of a block, and the block back. Raises NoSpace, StoreUnavailable."""
        self.write(block[:size], partial(self._free.put, block))

    def write(self, data: memoryview, release: Release) -> None:
        """Take bytes; ``release`` is called, from any thread, once their memory is free again.

        Raises NoSpace, StoreUnavailable.
        """
        self._sink.write(data)
        self.offset += len(data)
        if self._thread is None and self.offset <= INLINE_BYTES:
            self._hash(data)
            release()
        else:
            self._pass_on(data, release)

    def digest(self) -> str:
        """Return the MD5 of all bytes so far, in hex."""
        self._settle()
        return self._md5.hexdigest()

    def restart(self) -> None:
        """Throw everything away and begin at offset 0. Raises StoreUnavailable."""
        self._settle()
        self._sink.restart()
        self._begin()

    def _begin(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.offset = self._hashed = 0
        self.checkpoint = Checkpoint(0, "")
        self._noted = monotonic()

    def _pass_on(self, data: memoryview, release: Release) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._hash_all, name="hash", daemon=True)
            self._thread.start()
        self._filled.put((data, release))

    def _settle(self) -> None:
        """Wait until everything is hashed."""
        if self._thread is not None:
            hashed = threading.Event()
            self._filled.put((memoryview(b""), hashed.set))
            hashed.wait()

    def _hash_all(self) -> None:
        while (filled := self._filled.get()) is not None:
            data, release = filled
            self._hash(data)
            release()

    def _hash(self, data: memoryview) -> None:
        self._md5.update(data)
        self._hashed += len(data)
        if (
            self._hashed - self.checkpoint.offset >= CHECKPOINT_BYTES
            or monotonic() - self._noted >= CHECKPOINT_SECONDS
        ):
            self.checkpoint = Checkpoint(self._hashed, self._md5.hexdigest())
            self._noted = monotonic()
