"""Going on where a dead run stopped: the note beside its part, and the bytes that prove it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.downloader.hashing import BLOCK_BYTES, Checkpoint
from services.downloader.versions import Version
from shared.blobs.base import BlobMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO

    from services.downloader.hashing import HashingWriter
    from shared.blobs.base import BlobSink, Leftover
    from shared.origin.stop import Stop
    from shared.stage.job import Progress

MAX_NOTE_BYTES = 4096
# Each is read to the end before it is believed, so not any number of them.
MAX_TRIES = 2
# Less is fetched anew: it costs no more, and the first bytes are judged again.
WORTH_BYTES = 64 * 1024
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
# What may stand in If-Range (RFC 9110 §13.1.5): a strong entity tag or a date.
_VALIDATOR = re.compile(r'"[\x21\x23-\x7e]*"|[A-Za-z0-9,: +-]+', re.ASCII)


@dataclass(frozen=True, slots=True)
class Note:
    """What a run knows of its part: the file, and the MD5 of the part's first bytes."""

    version: Version
    checkpoint: Checkpoint

    def encoded(self) -> bytes:
        """Return the note as JSON, or nothing if it is too long to keep."""
        version, checkpoint = self.version, self.checkpoint
        text = json.dumps(
            {
                "url": version.place,
                "validator": version.validator,
                "total": version.total,
                "offset": checkpoint.offset,
                "md5": checkpoint.md5,
            }
        ).encode()
        return text if len(text) <= MAX_NOTE_BYTES else b""

    @classmethod
    def decoded(cls, text: bytes) -> Note | None:
        """Read a note that may hold anything; None if it is none."""
        try:
            match json.loads(text):
                case {
                    "url": str(place),
                    "validator": str(validator),
                    "total": int() | None as total,
                    "offset": int(offset),
                    "md5": str(md5),
                }:
                    note = cls(
                        Version(place=place, validator=validator, total=total),
                        Checkpoint(offset, md5),
                    )
                    return note if note._is_sound() else None
        except (ValueError, RecursionError):
            pass
        return None

    def _is_sound(self) -> bool:
        total, offset = self.version.total, self.checkpoint.offset
        return (
            _VALIDATOR.fullmatch(self.version.validator or "") is not None
            and _MD5.fullmatch(self.checkpoint.md5) is not None
            and offset >= WORTH_BYTES
            and (total is None or offset <= total)
        )


class Notes:
    """Keeps the note of a sink up to date with its writer's checkpoints."""

    def __init__(self, sink: BlobSink, writer: HashingWriter) -> None:
        self._sink = sink
        self._writer = writer
        self._latest = Checkpoint(0, "")

    def update(self, version: Version | None) -> None:
        """Write the note if there is a new checkpoint of a file that can be resumed."""
        checkpoint = self._writer.checkpoint
        if checkpoint == self._latest or version is None or version.validator is None:
            return
        self._latest = checkpoint
        if checkpoint.offset:
            self.keep(Note(version, checkpoint))

    def keep(self, note: Note) -> None:
        """Write a note, if it is short enough."""
        if text := note.encoded():
            self._sink.note(text)


def adopt(
    leftovers: Iterable[Leftover],
    sink: BlobSink,
    writer: HashingWriter,
    *,
    max_bytes: int,
    progress: Progress,
    stop: Stop,
) -> tuple[Note | None, list[Leftover]]:
    """Copy the longest part that its note proves, into an empty writer.

    Returns the note of what the writer then holds, None if nothing could be had, and the leftovers
    that nobody needs any more. Raises NoSpace, StoreUnavailable, Stopped.
    """
    noted = [(note, left) for left in leftovers if (note := Note.decoded(left.note)) is not None]
    noted = [
        pair for pair in noted if (pair[0].version.total or pair[0].checkpoint.offset) <= max_bytes
    ]
    noted.sort(key=lambda pair: pair[0].checkpoint.offset, reverse=True)
    for note, leftover in noted[:MAX_TRIES]:
        if note.version.total is not None:
            sink.reserve(note.version.total)
        if _copied(note, leftover, writer, progress, stop):
            return note, [left for _, left in noted]
        writer.restart()
    return None, [left for _, left in noted[:MAX_TRIES]]


def _copied(
    note: Note, leftover: Leftover, writer: HashingWriter, progress: Progress, stop: Stop
) -> bool:
    try:
        with leftover.open() as part:
            for done in _copying(part, note.checkpoint.offset, writer):
                progress(done, note.version.total)
                stop.check()
    except (BlobMissing, OSError, _Short):
        return False
    return writer.digest() == note.checkpoint.md5


class _Short(Exception):  # noqa: N818 - a fact about the part
    """The part has fewer bytes than its note says."""


def _copying(part: FileIO, size: int, writer: HashingWriter) -> Iterator[int]:
    """Copy block by block, and tell how far it is."""
    while left := size - writer.offset:
        block = writer.block()
        count = part.readinto(block[: min(left, BLOCK_BYTES)])
        writer.write_block(block, count)
        if not count:
            raise _Short
        yield writer.offset
