"""The bytes of records, renditions and covers for whoever holds a link: no token, no account.

The query of such a URL is the secret: nothing here logs it.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from services.api.domain.links import LinkRefused
from services.api.http.jsonapi.dialect import STANDARD
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.middlewares import error_boundary
from services.api.http.jsonapi.parse import parse_id
from services.api.http.ranges import Part, wanted
from services.api.http.sending import Cut, send
from services.api.http.traces import traced
from services.api.use_cases.covers import COVERS, THUMBNAIL
from services.api.use_cases.links import FILES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from uuid import UUID

    from services.api.domain.files import File as StoredFile
    from services.api.use_cases.covers import Covers
    from services.api.use_cases.links import Links


T = TypeVar("T")

SLOTS = 64
"""How many files are given out at once unless told otherwise."""
BUSY = "too_many_downloads"
RETRY_SECONDS = 5


def make_files(links: Links, covers: Covers, slots: int = SLOTS) -> dict[str, web.Application]:
    """The applications to mount where links of ours lead; so many downloads run at once."""
    files = Files(links, covers, slots)
    of_records = web.Application(middlewares=[traced, error_boundary(STANDARD)])
    of_records.add_routes([web.get("/{id}", files.get)])
    of_covers = web.Application(middlewares=[traced, error_boundary(STANDARD)])
    of_covers.add_routes(
        [web.get("/{id}", files.get_cover), web.get(f"/{{id}}/{THUMBNAIL}", files.get_thumbnail)]
    )
    return {FILES: of_records, COVERS: of_covers}


class Files:
    """Gives out files, so many at once."""

    def __init__(self, links: Links, covers: Covers, slots: int) -> None:
        """Serve what these links open."""
        self._links = links
        self._covers = covers
        self._slots = slots
        self._running = 0

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The file, a part of it, or why not."""
        file = await _redeemed(request, self._links.redeem)
        return await self._give(request, file, self._links.local_copy(file))

    async def get_cover(self, request: web.Request) -> web.StreamResponse:
        """A cover."""
        file = (await _redeemed(request, self._covers.redeem)).picture_file
        return await self._give(request, file, self._links.local_copy(file))

    async def get_thumbnail(self, request: web.Request) -> web.StreamResponse:
        """The thumbnail of a cover."""
        file = (await _redeemed(request, self._covers.redeem)).thumbnail_file
        return await self._give(request, file, self._links.local_copy(file))

    async def _give(
        self, request: web.Request, file: StoredFile, copy: AbstractAsyncContextManager[Path]
    ) -> web.StreamResponse:
        part = wanted(request, file.md5, file.size_bytes)
        async with copy as path:
            response = _head(file, part)
            if request.method == "HEAD" or part.status == HTTPStatus.NOT_MODIFIED:
                return response
            with self._slot():
                await _body(request, response, path, part)
            return response

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._running >= self._slots:
            busy = Error(503, "Too many files are given out right now. Try again.", code=BUSY)
            raise JsonApiError(busy, headers={"Retry-After": str(RETRY_SECONDS)})
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


async def _redeemed(request: web.Request, redeem: Callable[[UUID, str, str], Awaitable[T]]) -> T:
    id_ = parse_id(request.match_info["id"])
    if id_ is None:
        raise web.HTTPNotFound
    query = request.query
    try:
        return await redeem(id_, query.get("expires", ""), query.get("signature", ""))
    except LinkRefused as refused:
        raise JsonApiError(Error(403, refused.detail, code=refused.code)) from None


def _head(file: StoredFile, part: Part) -> web.StreamResponse:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        # Letters, digits, hyphens and a dot need neither escapes nor RFC 8187.
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Content-Type": file.media_type,
        "ETag": f'"{file.md5}"',
        "X-Content-Type-Options": "nosniff",
    }
    if part.status == HTTPStatus.PARTIAL_CONTENT:
        last, size = part.end - 1, file.size_bytes
        headers["Content-Range"] = f"bytes {part.start}-{last}/{size}"
    response = web.StreamResponse(status=part.status, headers=headers)
    response.content_length = part.end - part.start
    return response


async def _body(request: web.Request, response: web.StreamResponse, path: Path, part: Part) -> None:
    """Send the bytes; of a client that goes away, or does not take them, nothing is said."""
    # FileResponse of aiohttp has a tag of its own, which If-Range could not name.
    file = await asyncio.to_thread(path.open, "rb", 0)
    try:
        with suppress(Cut):
            await send(request, response, file, part.start, part.end)
    finally:
        await asyncio.to_thread(file.close)
