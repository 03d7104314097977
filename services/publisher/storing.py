"""Puts a finished file into the store, and proves while it passes that it is what was made."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from services.publisher.order import Rendition
    from shared.blobs.base import BlobStore

_BLOCK_BYTES = 1 << 20


class FileChanged(Exception):  # noqa: N818 - reads as what happened
    """The file is not what the child said that it wrote."""


def store_file(store: BlobStore, key: str, path: Path, made: Rendition) -> None:
    """Store a file under a key. Blocks.

    Raises FileChanged, and then nothing is stored, NoSpace and StoreUnavailable.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file, store.create(key) as sink:
        sink.reserve(made.size_bytes)
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            sink.write(block)
        if (digest.hexdigest(), sink.offset) != (made.md5, made.size_bytes):
            raise FileChanged
        sink.commit()
