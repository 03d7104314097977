"""What is in a backup: a folder with the database, the secret keys, the bytes and a manifest.

MD5SUMS lists the bytes as ``md5sum -c`` reads it, so that a backup can be checked without us.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from services.api.domain.errors import Refusal
from shared.durable import sync

if TYPE_CHECKING:
    from pathlib import Path

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "stagedoor.db"
SUMS: Final = "MD5SUMS"
BLOBS: Final = "blobs"
SECRETS: Final = ("secrets.key", "token")
PAGE: Final = "docs/operations.md"
_PIECE: Final = 1024 * 1024


class BackupRefused(Refusal):
    """The backup is not made, or not restored."""

    reason = "BACKUP_REFUSED"


class File(msgspec.Struct, frozen=True):
    """A file of the backup: its size in bytes and its MD5."""

    size: int
    md5: str


class Loss(msgspec.Struct, frozen=True):
    """Bytes that the database names and the backup lacks."""

    key: str
    name: str
    detail: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest: ``format`` is that of the folder, ``revision`` that of the tables.

    ``rows`` counts those of each table, ``blobs`` and ``bytes`` what MD5SUMS lists.
    """

    format: int
    version: str
    revision: str
    made_at: str
    files: dict[str, File]
    rows: dict[str, int]
    blobs: int
    bytes: int
    wrong: list[Loss]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it: what makes a folder a backup."""
    path = folder / MANIFEST
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    sync(path)
    sync(folder)


def read_manifest(folder: Path) -> Manifest:
    """Read it and prove the files that it lists. Raises BackupRefused."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise BackupRefused(f"{folder} is no backup: it has no {MANIFEST}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BackupRefused(f"{folder / MANIFEST} cannot be understood.") from None
    if manifest.format != FORMAT:
        raise BackupRefused(f"The backup has format {manifest.format}, we know {FORMAT}.")
    for name, file in manifest.files.items():
        if not (folder / name).is_file() or describe(folder / name) != file:
            raise BackupRefused(f"{folder / name} is not as it was saved.")
    return manifest


def describe(path: Path) -> File:
    """The size and MD5 of a file."""
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            md5.update(piece)
        return File(file.tell(), md5.hexdigest())


def copy_private(source: Path, target: Path) -> None:
    """Copy a file so that only its owner can read the copy."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, source.open("rb") as original:
        shutil.copyfileobj(original, file, _PIECE)
    sync(target)
