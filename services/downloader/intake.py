"""Where bytes go that arrived in the order of the file: judged, stored, hashed and told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.downloader import resume
from services.downloader.errors import Permanent
from services.downloader.sniff import SNIFFED_BYTES, is_html

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.downloader.hashing import HashingWriter, Release
    from services.downloader.versions import Version
    from shared.blobs.base import BlobSink, Leftover
    from shared.origin.stop import Stop
    from shared.stage.job import Progress


class Intake:
    """The file so far. ``version`` is which one it is, ``furthest`` the highest offset ever had.

    ``quota`` is what the tenant may still store, 0 for any. Used by one thread at a time.
    """

    def __init__(
        self,
        sink: BlobSink,
        writer: HashingWriter,
        *,
        max_bytes: int,
        quota: int,
        progress: Progress,
    ) -> None:
        self._sink = sink
        self._writer = writer
        self._max_bytes = max_bytes
        self._quota = quota
        self._progress = progress
        self._notes = resume.Notes(sink, writer)
        self._head = b""
        self.version: Version | None = None
        self.furthest = 0

    @property
    def offset(self) -> int:
        """How many bytes of the file are here."""
        return self._writer.offset

    @property
    def judges_head(self) -> bool:
        """Whether the next bytes tell if this is media at all, so that none should wait."""
        return len(self._head) < SNIFFED_BYTES

    def adopt(self, leftovers: Iterable[Leftover], stop: Stop) -> None:
        """Begin with what a dead run left, if anything of it can be proven."""
        most = min(self._max_bytes, self._quota or self._max_bytes)
        note, spent = resume.adopt(
            leftovers,
            self._sink,
            self._writer,
            max_bytes=most,
            progress=self._progress,
            stop=stop,
        )
        if note is not None:
            self.version = note.version
            self._head = bytes(SNIFFED_BYTES)  # judged by the dead run
            self._notes.keep(note)
            self._tell()
        for leftover in spent:  # now that our own note is written
            leftover.discard()

    def begin(self, version: Version) -> None:
        """Begin at offset 0 with this version. Raises Permanent, NoSpace."""
        if self.offset:
            self.forget()
        self.check_size(version.total or 0)
        if version.total:
            self._sink.reserve(version.total)
        self.version = version

    def learn_total(self, total: int) -> None:
        """Note the size that a range told. Raises Permanent."""
        self.check_size(total)
        if self.version is not None:
            self.version = replace(self.version, total=total, takes_ranges=True)

    def forget(self) -> None:
        """Throw everything away."""
        self._writer.restart()
        self.version = None
        self._head = b""

    def block(self) -> memoryview:
        """Return memory for the next bytes."""
        return self._writer.block()

    def keep_block(self, block: memoryview, size: int) -> None:
        """Take the first bytes of a block, and the block back; raises as ``keep``."""
        self._judge(block[:size])
        self._writer.write_block(block, size)
        self._tell()

    def keep(self, data: memoryview, release: Release) -> None:
        """Take bytes whose memory is released later.

        Raises Permanent for a file that is too large or none, NoSpace, StoreUnavailable.
        """
        self._judge(data)
        self._writer.write(data, release)
        self._tell()

    def digest(self) -> str:
        """Return the MD5 of all bytes so far, in hex."""
        return self._writer.digest()

    def check_size(self, size: int) -> None:
        """Refuse a file of this size. Raises Permanent ``too_large``, ``quota_exceeded``."""
        if size > self._max_bytes:
            raise Permanent(
                "too_large",
                "The file is larger than what is accepted here.",
                allowed=str(self._max_bytes),
            )
        if self._quota and size > self._quota:
            raise Permanent(
                "quota_exceeded",
                "The file is larger than what may still be stored.",
                measured=str(size),
                allowed=str(self._quota),
            )

    def _judge(self, data: memoryview) -> None:
        end = self.offset + len(data)
        self.check_size(end)
        total = self.version.total if self.version is not None else None
        if total is not None and end > total:
            raise Permanent(
                "invalid_response",
                "The origin sent more bytes than it announced.",
                allowed=str(total),
            )
        if self.judges_head:
            self._head += bytes(data[: SNIFFED_BYTES - len(self._head)])
            if is_html(self._head):
                raise Permanent(
                    "source_is_html",
                    "The URL serves a web page, not the file; a share link must be changed into"
                    " its direct download link.",
                )

    def _tell(self) -> None:
        self.furthest = max(self.furthest, self.offset)
        self._notes.update(self.version)
        self._progress(self.offset, self.version.total if self.version is not None else None)
