"""A multipart upload that goes on while its bytes are still coming in."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Condition, Thread
from typing import TYPE_CHECKING, NoReturn

import obstore
from obstore.exceptions import BaseError

from shared.blobs.base import StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Backend
    from typing_extensions import Buffer

# Parts under way at once. With the one that is being gathered, three parts are in memory.
_AT_ONCE = 2
# How long to wait for a server that is to forget an upload; after that the thread goes on alone.
_ABORT_SECONDS = 10.0


class _AbortedError(Exception):
    """The upload is not wanted any more."""


class Upload:
    """One upload of pieces of ``part_bytes`` (the last one shorter), in a thread of its own.

    A piece is handed over when the thread takes it, so none waits in between. The methods block
    and are for one thread at a time.
    """

    def __init__(self, backend: Backend, key: str, part_bytes: int) -> None:
        self._pieces = _Pieces()
        self._stored = False
        self._error: Exception | None = None
        self._thread = Thread(
            target=self._run, args=(backend, key, part_bytes), name="upload", daemon=True
        )
        self._thread.start()

    def send(self, piece: Buffer) -> None:
        """Hand over the next piece, which is not to be changed. Raises StoreUnavailable."""
        if not self._pieces.give(piece):
            self._fail()

    def finish(self) -> None:
        """Wait until the object is there. Raises StoreUnavailable."""
        self._pieces.end()
        self._thread.join()
        if not self._stored:
            self._fail()

    def abort(self) -> None:
        """Make the store forget the upload; waits some seconds for that at most."""
        self._pieces.abort()
        self._thread.join(_ABORT_SECONDS)

    def _run(self, backend: Backend, key: str, part_bytes: int) -> None:
        try:
            # If the iterator raises, this aborts the upload, and then raises the same.
            obstore.put(
                backend,
                key,
                self._pieces,
                use_multipart=True,
                chunk_size=part_bytes,
                max_concurrency=_AT_ONCE,
            )
            self._stored = True
        except (BaseError, OSError, _AbortedError) as error:
            self._error = error
        finally:
            self._pieces.close()

    def _fail(self) -> NoReturn:
        raise StoreUnavailable("The object store did not take the bytes.") from self._error


class _Pieces(Iterator["Buffer"]):
    """Hands pieces from the thread that has them to the one that iterates."""

    def __init__(self) -> None:
        self._turn = Condition()
        self._piece: Buffer | None = None
        self._ended = False
        self._aborted = False
        self._closed = False

    def give(self, piece: Buffer) -> bool:
        """Wait until the piece is taken; False if it never will be."""
        with self._turn:
            self._piece = piece
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._piece is None or self._closed)
            return not self._closed

    def end(self) -> None:
        """Say that there is no more."""
        with self._turn:
            self._ended = True
            self._turn.notify_all()

    def abort(self) -> None:
        """Make the iteration raise."""
        with self._turn:
            self._aborted = True
            self._turn.notify_all()

    def close(self) -> None:
        """Say that nobody iterates any more."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def __next__(self) -> Buffer:
        with self._turn:
            self._turn.wait_for(lambda: self._piece is not None or self._ended or self._aborted)
            if self._aborted:
                raise _AbortedError
            if self._piece is None:
                raise StopIteration
            piece, self._piece = self._piece, None
            self._turn.notify_all()
            return piece
