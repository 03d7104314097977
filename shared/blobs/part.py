"""A blob being written to a local folder: a part and its note, beside the final name."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from shared.blobs.base import (
    MAX_NOTE_BYTES,
    NOTE_SUFFIX,
    PART_SUFFIX,
    NoSpace,
    StoreUnavailable,
    check_note,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A file system that cannot hold a file so long has no room for it either.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_RESERVES_NOTHING = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
# How often a folder may be removed by the end of another run between its making and its use.
_RACES = 50


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full disk or quota into NoSpace, all else but FileExistsError to StoreUnavailable."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace("The disk is full.") from error
        raise StoreUnavailable("The disk did not do it.") from error


class LocalSink:
    """A part file, ``<key>.part``, and its note, ``<key>.part.note``; see BlobSink.

    The part is on the file system of its final name, so that one rename publishes it.
    """

    def __init__(self, root: Path, path: Path) -> None:
        self._root = root
        self._path = path
        self._part = part_of(path)
        self._descriptor = -1
        self._note = -1
        self._offset = 0
        self._begun = False
        self._committed = False

    @property
    def offset(self) -> int:
        """How many bytes were written; see BlobSink."""
        return self._offset

    def open(self) -> None:
        """Make the part file and its folders. Raises FileExistsError if the key has one."""
        with disk_errors():
            self._descriptor = _open_part(self._part)
        self._begun = True

    def reserve(self, size: int) -> None:
        """Allocate the blocks, where the file system can; see BlobSink."""
        if size:
            with disk_errors(), _unless_unsupported():
                os.posix_fallocate(self._descriptor, 0, size)

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; see BlobSink."""
        rest = memoryview(data)
        with disk_errors():
            while rest:
                written = os.pwrite(self._descriptor, rest, self._offset)
                self._offset += written
                rest = rest[written:]

    def restart(self) -> None:
        """Begin at offset 0; see BlobSink."""
        with disk_errors():
            os.ftruncate(self._descriptor, 0)
            if self._note >= 0:
                os.ftruncate(self._note, 0)
        self._offset = 0

    def note(self, text: bytes) -> None:
        """Replace the note; see BlobSink."""
        check_note(text)
        with disk_errors():
            if self._note < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                self._note = os.open(note_of(self._path), flags, 0o600)
            # One page in one write, which not even the kill of the process can divide.
            os.pwrite(self._note, text.ljust(MAX_NOTE_BYTES, b"\0"), 0)

    def commit(self) -> None:
        """Make the blob durable and visible; see BlobSink."""
        with disk_errors():
            os.ftruncate(self._descriptor, self._offset)  # a reservation may have made it longer
            os.fsync(self._descriptor)
            self._close()
            note_of(self._path).unlink(missing_ok=True)
            self._part.rename(self._path)
            for folder in _folders(self._root, self._path):
                _sync_folder(folder)
        self._committed = True

    def end(self) -> None:
        """Give everything back; without a commit that succeeded, remove every trace."""
        self._close()
        if self._begun and not self._committed:  # or it is the part of another run
            # What a sick disk keeps, the scrub finds; the reason for the end matters more.
            with suppress(OSError):
                remove(self._root, self._path)

    def _close(self) -> None:
        for descriptor in (self._descriptor, self._note):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._note = -1


def part_of(path: Path) -> Path:
    """Return where the bytes of a blob are written."""
    return path.with_name(path.name + PART_SUFFIX)


def note_of(path: Path) -> Path:
    """Return where a note about the bytes of a blob is written."""
    return path.with_name(path.name + NOTE_SUFFIX)


def remove(root: Path, path: Path) -> None:
    """Remove a blob, its part, its note, and the folders that are empty then."""
    # The part before the blob, so that a rename under way cannot slip through.
    for file in (note_of(path), part_of(path), path):
        file.unlink(missing_ok=True)
    # A folder that is gone or in use ends the climb: someone else's run keeps it.
    with suppress(OSError):
        for folder in _folders(root, path):
            if folder != root:
                folder.rmdir()


@contextmanager
def _unless_unsupported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _RESERVES_NOTHING:
            raise


def _open_part(part: Path) -> int:
    for _ in range(_RACES):
        with suppress(FileNotFoundError):
            # ``exist_ok`` would look again, and might find it gone.
            with suppress(FileExistsError):
                part.parent.mkdir(mode=0o700, parents=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(part, flags, 0o600)
    raise FileNotFoundError(part.parent)


def _folders(root: Path, path: Path) -> Iterator[Path]:
    """Yield the folders between a blob and the root, innermost first, the root last."""
    for folder in path.parents:
        yield folder
        if folder == root:
            return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
