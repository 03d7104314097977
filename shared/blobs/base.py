"""Where bytes live: the one interface that every store passes the same suite for.

BlobError
├── BlobMissing        no such blob
├── NoSpace            the disk or the quota is full: the worker's trouble, not the task's
└── StoreUnavailable   the store cannot be reached or does not let us in
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from pathlib import Path

PART_SUFFIX = ".part"
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", re.ASCII)


class BlobError(Exception):
    """The store could not do it."""


class BlobMissing(BlobError):  # noqa: N818 - a fact about the store, not a fault
    """There is no such blob."""


class NoSpace(BlobError):  # noqa: N818 - a state of the disk, not a fault
    """There is no room left for the bytes."""


class StoreUnavailable(BlobError):  # noqa: N818 - a state of the store, not a fault
    """The store cannot be reached, or refuses our credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """One key that takes room: its size in bytes and when it was last written (UTC)."""

    key: str
    size: int
    modified: datetime


class BlobSink(Protocol):
    """A blob being written; nobody sees it before ``commit``.

    One caller at a time: the next call only after the last one returned or was cancelled.
    """

    @property
    def offset(self) -> int:
        """How many bytes were written since the start or the last restart."""

    async def write(self, data: bytes) -> None:
        """Append bytes. Raises NoSpace, StoreUnavailable."""

    async def restart(self) -> None:
        """Throw away what was written and begin at offset 0."""

    async def commit(self) -> None:
        """Make the blob durable and visible, whole. Raises NoSpace, StoreUnavailable."""


class BlobStore(Protocol):
    """Blobs by key, ``<tenant>/<task>/<generation>/<run_id>``.

    Every method raises ValueError for a key that is none, StoreUnavailable when the store is.
    """

    def create(self, key: str) -> AbstractAsyncContextManager[BlobSink]:
        """Open a sink; leaving the block without ``commit`` leaves nothing in the store."""

    def local_copy(self, key: str) -> AbstractAsyncContextManager[Path]:
        """Give the blob as a file that may be read until the block ends. Raises BlobMissing.

        A local store gives the file itself: it must not be changed.
        """

    async def size(self, key: str) -> int:
        """Return the size in bytes. Raises BlobMissing."""

    async def delete(self, key: str) -> None:
        """Remove the blob and what a dead run left under its key; no such key is no error."""

    def keys(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """List what takes room below a prefix of whole segments, in no order.

        Parts that dead runs left are listed under their key too, so that a scrub finds them.
        """


def check_key(key: str) -> str:
    """Return a key that can name nothing outside the store. Raises ValueError."""
    if not all(map(_SEGMENT.fullmatch, key.split("/"))) or key.endswith(PART_SUFFIX):
        raise ValueError(f"not a blob key: {key[:200]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix without the slash that ends it. Raises ValueError."""
    return check_key(prefix.removesuffix("/")) if prefix else ""
