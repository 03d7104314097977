"""What a run knows about the file it fetches, over all the responses that brought parts of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from services.downloader import heads
from services.downloader.errors import Permanent, Transient
from services.downloader.limits import Limits, SpeedGauge
from services.downloader.sniff import SNIFFED_BYTES, is_html

if TYPE_CHECKING:
    from services.downloader.transport import Response
    from services.downloader.writer import HashingWriter
    from shared.stage.job import Progress


class Download:
    """Takes responses until the file is whole.

    ``furthest`` is the highest offset that any of them reached.
    """

    def __init__(
        self, writer: HashingWriter, limits: Limits, declared_md5: str, progress: Progress
    ) -> None:
        self._writer = writer
        self._limits = limits
        self._declared_md5 = declared_md5.lower()
        self._progress = progress
        self._validator: str | None = None
        self._place = ""
        self._total: int | None = None
        self._head = b""
        self.furthest = 0

    def range_headers(self) -> dict[str, str]:
        """Ask for the rest, if the file can be told from another one of the same name."""
        if not self._writer.offset or self._validator is None:
            return {}
        return {"Range": f"bytes={self._writer.offset}-", "If-Range": self._validator}

    async def take(self, url: str, response: Response) -> None:
        """Take one response. Returns when the file is whole. Raises Permanent, Transient."""
        heads.check_status(response.status, response.headers)
        heads.check_encoding(response.headers)
        if response.status == HTTPStatus.OK:
            await self._start(url, response)
        elif not self._continues(url, response):
            await self._forget()
            raise Transient("origin_error", "The origin answered a range request wrongly.")
        if response.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            await self._receive(response)
            await self._check_whole(heads.is_framed(response.headers))

    async def _start(self, url: str, response: Response) -> None:
        """Begin at offset 0: the first answer, or a file that changed, or an origin that cannot."""
        if self._writer.offset:
            await self._forget()
        self._validator = heads.strong_validator(response.headers)
        self._place = _place(url)
        self._total = heads.content_length(response.headers)
        self._check_size(self._total or 0)

    def _continues(self, url: str, response: Response) -> bool:
        """Tell whether a 206 is exactly the rest, or a 416 says that there is none."""
        answered = heads.content_range(response.headers)
        if answered is None or self._total not in {None, answered.total}:
            return False
        if not self._writer.offset or not self._is_same(url, response):
            return False
        self._total = answered.total
        self._check_size(self._total or 0)
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return answered.total == self._writer.offset
        return answered.is_rest_from(self._writer.offset)

    def _is_same(self, url: str, response: Response) -> bool:
        """Tell whether this is the file of the first answer (RFC 9110 §15.3.7)."""
        etagged = self._validator is not None and self._validator.startswith('"')
        field = "ETag" if etagged else "Last-Modified"
        repeated = response.headers.get(field, self._validator)
        return repeated == self._validator and _place(url) == self._place

    async def _receive(self, response: Response) -> None:
        gauge = SpeedGauge(self._limits)
        while block := await gauge.timed(response.read()):
            end = self._writer.offset + len(block)
            self._check_size(end)
            if self._total is not None and end > self._total:
                raise Permanent(
                    "invalid_response",
                    "The origin sent more bytes than it announced.",
                    allowed=str(self._total),
                )
            self._check_page(block)
            await self._writer.write(block)
            self.furthest = max(self.furthest, end)
            self._progress(end, self._total)

    async def _check_whole(self, framed: bool) -> None:  # noqa: FBT001 - one caller
        if self._total is not None:
            whole = self._writer.offset == self._total
        else:
            whole = framed or (await self._writer.flush() == self._declared_md5)
        if not whole:
            raise Transient(
                "truncated",
                "The file ended early, or the origin does not say where it ends:"
                " then only a declared MD5 can prove that it is whole.",
                measured=str(self._writer.offset),
                at_once=bool(self._validator or self._declared_md5),
            )

    async def _forget(self) -> None:
        await self._writer.restart()
        self._validator = self._total = None
        self._head = b""

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise Permanent(
                "too_large",
                "The file is larger than what is accepted here.",
                allowed=str(self._limits.max_bytes),
            )

    def _check_page(self, block: bytes) -> None:
        if len(self._head) < SNIFFED_BYTES:
            self._head += block[: SNIFFED_BYTES - len(self._head)]
            if is_html(self._head):
                raise Permanent(
                    "source_is_html",
                    "The URL serves a web page, not the file; a share link must be changed into"
                    " its direct download link.",
                )


def _place(url: str) -> str:
    """Where a file lives: its URL without the query, which signing renews."""
    return url.partition("?")[0]
