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
from shared.durable import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

# A file system that cannot hold a file so long has no room for it either.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_RESERVES_NOTHING = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
# So much is left to the kernel's own time before it is told to write: what it keeps for half a
# minute, it writes at once, and every other file's fsync (a database's) waits behind it.
_WRITE_BEHIND = 8 << 20
# How often a folder may be removed by the end of another run between its making and its use.
_RACES = 50


class _DiskErrors:
    """A context manager without state, as it surrounds every call of the system."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, OSError) or isinstance(error, FileExistsError):
            return
        if error.errno in _FULL:
            raise NoSpace("The disk is full.") from error
        raise StoreUnavailable("The disk did not do it.") from error


_DISK_ERRORS = _DiskErrors()


def disk_errors() -> _DiskErrors:
    """Turn a full disk or quota into NoSpace, all else but FileExistsError to StoreUnavailable."""
    return _DISK_ERRORS


class LocalSink:
    """A part file, ``<key>.part``, and its note, ``<key>.part.note``; see BlobSink.

    The part is on the file system of its final name, so that one rename publishes it.
    """

    def __init__(self, root: Path, path: Path) -> None:
        # As text: a Path for each call of the system costs more than most of those calls.
        self._root = os.fspath(root)
        self._path = os.fspath(path)
        self._part = self._path + PART_SUFFIX
        self._descriptor = -1
        self._note = -1
        self._offset = 0
        self._handed_over = 0
        self._reserved = 0
        self._begun = False
        self._committed = False

    @property
    def offset(self) -> int:
        """How many bytes were written; see BlobSink."""
        return self._offset

    def open(self) -> None:
        """Make the part file and its folders. Raises FileExistsError if the key has one."""
        with disk_errors():
            self._descriptor = open_part(self._part, os.O_WRONLY | os.O_EXCL)
        self._begun = True

    def reserve(self, size: int) -> None:
        """Allocate the blocks, where the file system can; see BlobSink."""
        if size:
            self._reserved = size
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
            if self._offset - self._handed_over >= _WRITE_BEHIND:
                self._hand_over()

    def restart(self) -> None:
        """Begin at offset 0; see BlobSink."""
        with disk_errors():
            os.ftruncate(self._descriptor, 0)
            if self._note >= 0:
                os.ftruncate(self._note, 0)
        self._offset = self._handed_over = self._reserved = 0

    def note(self, text: bytes) -> None:
        """Replace the note; see BlobSink."""
        check_note(text)
        with disk_errors():
            if self._note < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                self._note = os.open(self._path + NOTE_SUFFIX, flags, 0o600)
            # One page in one write, which not even the kill of the process can divide.
            os.pwrite(self._note, text.ljust(MAX_NOTE_BYTES, b"\0"), 0)

    def commit(self) -> None:
        """Make the blob durable and visible; see BlobSink."""
        with disk_errors():
            if self._reserved > self._offset:
                os.ftruncate(self._descriptor, self._offset)
            os.fsync(self._descriptor)
            if self._note >= 0:
                _unlink(self._path + NOTE_SUFFIX)
            self._close()
            os.rename(self._part, self._path)  # noqa: PTH104 - see __init__
            for folder in _folders(self._root, self._path):
                sync(folder)
        self._committed = True

    def end(self) -> None:
        """Give everything back; without a commit that succeeded, remove every trace."""
        self._close()
        if self._begun and not self._committed:  # or it is the part of another run
            # What a sick disk keeps, the scrub finds; the reason for the end matters more.
            with suppress(OSError):
                _remove(self._root, self._path)

    def _hand_over(self) -> None:
        """Begin to write to the disk what is not on its way yet; nothing is waited for."""
        # Linux writes dirty pages on this advice, and only drops those that are clean already.
        length = self._offset - self._handed_over
        os.posix_fadvise(self._descriptor, self._handed_over, length, os.POSIX_FADV_DONTNEED)
        self._handed_over = self._offset

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
    _remove(os.fspath(root), os.fspath(path))


def _remove(root: str, path: str) -> None:
    # The part before the blob, so that a rename under way cannot slip through.
    for file in (path + NOTE_SUFFIX, path + PART_SUFFIX, path):
        _unlink(file)
    # A folder that is gone or in use ends the climb: someone else's run keeps it.
    with suppress(OSError):
        for folder in _folders(root, path):
            if folder != root:
                os.rmdir(folder)  # noqa: PTH106 - see LocalSink.__init__


def _unlink(file: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(file)  # noqa: PTH108 - see LocalSink.__init__


@contextmanager
def _unless_unsupported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _RESERVES_NOTHING:
            raise


def open_part(part: str, how: int) -> int:
    """Open a part file, made if there is none, with its folders. Raises OSError."""
    folder = part.rpartition("/")[0]
    for _ in range(_RACES):
        with suppress(FileNotFoundError):
            _make_folder(folder, 0o700)
            return os.open(part, how | os.O_CREAT | os.O_CLOEXEC, 0o600)
    raise FileNotFoundError(folder)


def _make_folder(folder: str, mode: int) -> None:
    # That one of this name exists is all there is to know: looked at again, it might be gone.
    with suppress(FileExistsError):
        try:
            os.mkdir(folder, mode)  # noqa: PTH102 - see LocalSink.__init__
        except FileNotFoundError:
            _make_folder(folder.rpartition("/")[0] or "/", 0o777)
            os.mkdir(folder, mode)  # noqa: PTH102 - see LocalSink.__init__


def _folders(root: str, path: str) -> Iterator[str]:
    """Yield the folders between a blob and the root, innermost first, the root last."""
    while len(path := path.rpartition("/")[0]) > len(root):
        yield path
    yield root
