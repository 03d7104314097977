"""Where bytes live: the one interface that every store passes the same suite for.

BlobError
├── BlobMissing        no such blob
├── BlobBusy           somebody else is writing it
├── CannotGrow         the store takes a blob in one go only
├── NoSpace            the disk or the quota is full: the worker's trouble, not the task's
└── StoreUnavailable   the store cannot be reached or does not let us in
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from datetime import datetime, timedelta
    from io import FileIO
    from pathlib import Path

PART_SUFFIX = ".part"
NOTE_SUFFIX = ".part.note"
MAX_NOTE_BYTES = 4096
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", re.ASCII)


class BlobError(Exception):
    """The store could not do it."""


class BlobMissing(BlobError):  # noqa: N818 - a fact about the store, not a fault
    """There is no such blob."""


class BlobBusy(BlobError):  # noqa: N818 - a state of the blob, not a fault
    """Somebody else is writing the blob."""


class CannotGrow(BlobError):  # noqa: N818 - a fact about the store, not a fault
    """The store takes a blob in one go only."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A part that another run of this machine left, or still writes, and what it noted of it.

    Nothing about the bytes is certain: the run may have died between any two writes, and the part
    may be longer than what was written. Only a check against the note can prove them.
    """

    key: str
    note: bytes
    part: Path

    def open(self) -> FileIO:
        """Open the part for reading, without a buffer. Raises BlobMissing if it went away."""
        try:
            return self.part.open("rb", buffering=0)
        except FileNotFoundError:
            raise BlobMissing(self.key) from None

    def discard(self) -> None:
        """Give its room back: nobody has a use for it any more. Blocks.

        A run that still writes it finds out at its commit.
        """
        note = self.part.with_name(self.part.name.removesuffix(PART_SUFFIX) + NOTE_SUFFIX)
        for file in (note, self.part):
            with suppress(OSError):  # the scrub comes for what stays
                file.unlink(missing_ok=True)


class BlobSink(Protocol):
    """A blob being written; nobody sees it before ``commit``.

    Every method blocks and is for one thread at a time. After an error only leaving the block of
    ``BlobStore.create`` is of use, or ``restart``.
    """

    @property
    def offset(self) -> int:
        """How many bytes were written since the start or the last restart."""

    def reserve(self, size: int) -> None:
        """Make sure of room for ``size`` bytes in all, as far as the store can.

        To be called before the first byte, and again after a restart, which gives the room back.
        Raises NoSpace.
        """

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes. Raises NoSpace, StoreUnavailable."""

    def restart(self) -> None:
        """Throw away what was written, and the note, and begin at offset 0."""

    def note(self, text: bytes) -> None:
        """Keep at most 4 KiB, no NUL among them, for whoever finds the part of a dead run.

        Replaces the last note, in one write. A remote store, which keeps no parts, forgets it.
        Raises ValueError for a text that is none.
        """

    def commit(self) -> None:
        """Make the blob durable and visible, whole. Raises NoSpace, StoreUnavailable."""


class GrowingBlob(Protocol):
    """A blob that gathers over several goes, of any process; nobody sees it before ``commit``.

    Every method blocks and is for one thread at a time.
    """

    @property
    def offset(self) -> int:
        """How many bytes there are: at first those that an earlier go made safe."""

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes. Raises NoSpace, StoreUnavailable."""

    def sync(self) -> None:
        """Make safe what was written so far: a later go begins behind it. Raises as ``write``."""

    def cut(self, offset: int) -> None:
        """Throw away what is behind an offset. Raises StoreUnavailable."""

    def md5(self) -> str:
        """Read all of it and return its MD5 in hexadecimal digits. Raises StoreUnavailable."""

    def commit(self) -> None:
        """Make the blob durable and visible, whole. Raises NoSpace, StoreUnavailable."""


class BlobStore(Protocol):
    """Blobs by key, ``<tenant>/<task>/<generation>/<run_id>``.

    Every method raises ValueError for a key that is none, StoreUnavailable when the store is.
    ``buffer_bytes`` is how much memory a sink takes.
    """

    buffer_bytes: int

    def create(self, key: str) -> AbstractContextManager[BlobSink]:
        """Open a sink; leaving the block without ``commit`` leaves nothing in the store. Blocks."""

    def grow(self, key: str) -> AbstractContextManager[GrowingBlob]:
        """Go on with a blob where the last go ended; what is not safe at the end is gone. Blocks.

        Raises BlobBusy while another go has it, CannotGrow.
        """

    async def grown(self, key: str) -> int:
        """Return how many bytes of a growing blob are safe. Raises CannotGrow."""

    def leftovers(self, prefix: str) -> Iterator[Leftover]:
        """Find noted parts below a prefix of whole segments, in no order. Blocks.

        A remote store has none.
        """

    def local_copy(self, key: str) -> AbstractAsyncContextManager[Path]:
        """Give the blob as a file that may be read until the block ends. Raises BlobMissing.

        A local store gives the file itself: it must not be changed.
        """

    def chunks(self, key: str) -> AsyncGenerator[bytes]:
        """Read the blob from its start, a few MiB at a time. Raises BlobMissing, at any of them."""

    async def size(self, key: str) -> int:
        """Return the size in bytes. Raises BlobMissing."""

    async def delete(self, key: str) -> None:
        """Remove the blob and what a dead run left under its key; no such key is no error."""

    def keys(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """List what takes room below a prefix of whole segments, in no order.

        Parts and notes that dead runs left count under their key too, so that a scrub finds them;
        a part counts with the room reserved for it.
        """

    async def link(self, key: str, *, lasting: timedelta, filename: str) -> str | None:
        """Return a URL that gives the blob to anybody until ``lasting`` is over.

        None if only we can serve the bytes. ``filename`` is what a browser is to call the file,
        where the store can be told. Nobody looks whether there is such a blob.
        """

    async def drop_link(self, key: str, *, lasting: timedelta) -> str | None:
        """Return a URL at which anybody can put (PUT) the blob, again too, until that is over.

        None if only we can take the bytes.
        """

    async def room(self) -> int | None:
        """Return how many bytes are free for new blobs; None if the store has no such bound."""


def check_key(key: str) -> str:
    """Return a key that can name nothing outside the store. Raises ValueError."""
    if not all(map(_SEGMENT.fullmatch, key.split("/"))) or key.endswith((PART_SUFFIX, NOTE_SUFFIX)):
        raise ValueError(f"not a blob key: {key[:200]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix without the slash that ends it. Raises ValueError."""
    return check_key(prefix.removesuffix("/")) if prefix else ""


def check_note(text: bytes) -> None:
    """Raise ValueError for a text that is no note."""
    if len(text) > MAX_NOTE_BYTES or b"\0" in text:
        raise ValueError("A note has at most 4096 bytes, and no NUL.")
