"""The MD5 of a file, with progress."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BLOCK_BYTES = 1 << 20


class HashingStopped(Exception):  # noqa: N818 - nothing went wrong: it was asked to
    """The caller wants no digest any more."""


def md5_of(path: Path, on_bytes: Callable[[int], bool] | None = None) -> tuple[str, int]:
    """Return the MD5 in hexadecimal and the size in bytes.

    ``on_bytes`` is told the bytes so far after each MiB, and stops the work by answering False.
    Raises HashingStopped then, and OSError when the file cannot be read.
    """
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            if on_bytes is not None and not on_bytes(done):
                raise HashingStopped
    return digest.hexdigest(), done
