"""The bytes of a record for whoever holds a link of ours to it: no token, no account.

The query of such a URL is the secret: nothing here logs it.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.domain.files import file_name, media_type
from services.api.domain.links import LinkRefused
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.middlewares import error_boundary
from services.api.http.jsonapi.parse import parse_id
from services.api.http.ranges import Part, wanted
from services.api.http.sending import Cut, send
from services.api.http.traces import traced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.api.domain.catalogue import Record
    from services.api.use_cases.links import Links

SLOTS = 64
"""How many files are given out at once unless told otherwise."""
BUSY = "too_many_downloads"
RETRY_SECONDS = 5


def make_files(links: Links, slots: int = SLOTS) -> web.Application:
    """The application to mount where links of ours lead; so many downloads run at once."""
    app = web.Application(middlewares=[traced, error_boundary])
    app.add_routes([web.get("/{id}", Files(links, slots).get)])
    return app


class Files:
    """Gives out files, so many at once."""

    def __init__(self, links: Links, slots: int) -> None:
        """Serve what these links open."""
        self._links = links
        self._slots = slots
        self._running = 0

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The file, a part of it, or why not."""
        record = await self._redeemed(request)
        part = wanted(request, record.master.md5, record.master.size_bytes)
        async with self._links.local_copy(record) as path:
            response = _head(record, part)
            if request.method == "HEAD" or part.status == HTTPStatus.NOT_MODIFIED:
                return response
            with self._slot():
                await _body(request, response, path, part)
            return response

    async def _redeemed(self, request: web.Request) -> Record:
        id_ = parse_id(request.match_info["id"])
        if id_ is None:
            raise web.HTTPNotFound
        query = request.query
        try:
            return await self._links.redeem(
                id_, query.get("expires", ""), query.get("signature", "")
            )
        except LinkRefused as refused:
            raise JsonApiError(Error(403, refused.detail, code=refused.code)) from None

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


def _head(record: Record, part: Part) -> web.StreamResponse:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        # Letters, digits, hyphens and a dot need neither escapes nor RFC 8187.
        "Content-Disposition": f'attachment; filename="{file_name(record)}"',
        "Content-Type": media_type(record),
        "ETag": f'"{record.master.md5}"',
        "X-Content-Type-Options": "nosniff",
    }
    if part.status == HTTPStatus.PARTIAL_CONTENT:
        last, size = part.end - 1, record.master.size_bytes
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
