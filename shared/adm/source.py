"""Bounded random access to a file whose own sizes are never believed."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_READ_BYTES = 16 << 20


class FormatError(Exception):
    """A structure is not what its specification says; ``offset`` is where, in bytes."""

    def __init__(self, detail: str, offset: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.offset = offset


class Source:
    """A file that is read at offsets; ``size`` is what the file system says, in bytes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def peek(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes: fewer at the end of the file, or past MAX_READ_BYTES."""
        if not 0 <= offset < self.size:
            return b""
        return os.pread(self._descriptor, min(length, MAX_READ_BYTES), offset)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes.

        Raises FormatError when they are not all in the file, or are more than MAX_READ_BYTES.
        """
        if not 0 <= length <= MAX_READ_BYTES:
            raise FormatError(f"A structure of {length} bytes is too long to be real", offset)
        data = self.peek(offset, length)
        if len(data) != length:
            raise FormatError(f"{length} bytes were announced, {len(data)} are there", offset)
        return data


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a file for bounded reading; raises OSError as the system does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield Source(descriptor)
    finally:
        os.close(descriptor)
