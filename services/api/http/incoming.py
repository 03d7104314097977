"""Bytes from whoever holds a link of ours to put them: no token, no account.

The query of such a URL is the secret: nothing here logs it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from services.api.domain.links import LinkRefused
from services.api.domain.uploads import KINDS
from services.api.http.authentication import authentication, public
from services.api.http.bodies import declared_md5, pieces_of, told
from services.api.http.cors import EVERYWHERE, Cors
from services.api.http.jsonapi.dialect import STANDARD
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.middlewares import error_boundary
from services.api.http.jsonapi.parse import parse_id
from services.api.http.traces import traced
from services.api.http.tus import Tus, tell_version, versioned
from services.api.use_cases.receiving import Said
from services.api.use_cases.uploads import awaited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from services.api.domain.principal import Principal
    from services.api.domain.uploads import Upload
    from services.api.use_cases.appending import Appending
    from services.api.use_cases.receiving import Receiving

SLOTS: Final = 32
"""How many uploads come in at once unless told otherwise."""
BUSY: Final = "too_many_uploads"
RETRY_SECONDS: Final = 5
_MULTIPART: Final = "multipart/form-data"
# What senders say who know nothing of the bytes; the last is curl's word for any body.
_UNTYPED: Final = frozenset({"application/octet-stream", "application/x-www-form-urlencoded"})
_CONTINUE: Final = "100-continue"


def make_incoming(
    incoming: Incoming,
    appending: Appending,
    authenticate: Callable[[str | None], Awaitable[Principal]],
    cors: Cors = EVERYWHERE,
) -> web.Application:
    """The application to mount where links of ours to put bytes lead."""
    app = web.Application(
        middlewares=[traced, error_boundary(STANDARD), versioned, authentication(authenticate)]
    )
    app.on_response_prepare.append(tell_version)
    app.on_response_prepare.append(cors.tell)
    tus = Tus(incoming, appending)
    app.add_routes(
        [
            web.options("", tus.options),
            web.post("", tus.create),
            web.options("/{id}", tus.options),
            web.head("/{id}", tus.head),
            web.patch("/{id}", tus.patch, expect_handler=_not_yet),
            web.delete("/{id}", tus.delete),
            web.put("/{id}", incoming.put, expect_handler=_not_yet),
            web.post("/{id}", incoming.put, expect_handler=_not_yet),
        ]
    )
    return app


class Incoming:
    """Takes files in, so many at once."""

    def __init__(self, receiving: Receiving, slots: int = SLOTS) -> None:
        """Hand the bytes to this."""
        self._receiving = receiving
        self._uploads = receiving.uploads
        self._slots = slots
        self._running = 0

    @public
    async def put(self, request: web.Request) -> web.Response:
        """Take the body, or its first file, as the file of an upload; or say why not.

        What can be refused is refused before the body is read.
        """
        upload = awaited(await self.redeemed(request))
        said = _said(request)
        _check_head(request, upload)
        await self._uploads.room(upload, max(said.size or 1, 1))
        async with self.reading(request):
            pieces = pieces_of(request, lambda type_: check_type(upload, type_))
            stored = await self._receiving.receive(upload, pieces, said)
        md5 = stored.master.md5 if stored.master else ""
        return web.Response(headers={hdrs.ETAG: f'"{md5}"'})

    async def redeemed(self, request: web.Request) -> Upload:
        """The upload that the link opens. Raises JsonApiError, NotFound."""
        id_ = parse_id(request.match_info["id"])
        if id_ is None:
            raise web.HTTPNotFound
        query = request.query
        expires, signature = query.get("expires", ""), query.get("signature", "")
        try:
            return await self._uploads.redeem(id_, expires, signature)
        except LinkRefused as refused:
            raise JsonApiError(Error(403, refused.detail, code=refused.code)) from None

    @asynccontextmanager
    async def reading(self, request: web.Request) -> AsyncIterator[None]:
        """Take one of the places, let the body come, and say what is wrong with it."""
        with self.place():
            await _go_on(request)
            yield

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places, and say what is wrong with a body that comes already."""
        with self._slot(), told():
            yield

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._running >= self._slots:
            busy = Error(503, "Too many files come in right now. Try again.", code=BUSY)
            raise JsonApiError(busy, headers={"Retry-After": str(RETRY_SECONDS)})
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


def check_type(upload: Upload, type_: str) -> None:
    """Raise JsonApiError unless an upload may have this media type (RFC 9110 section 8.3.1)."""
    expected = (upload.content_type or "").partition(";")[0].strip().lower()
    known = KINDS[upload.kind].types
    is_other = bool(expected) and type_ != expected
    if type_ not in _UNTYPED and (is_other or (known and type_ not in known)):
        wanted = expected or ", ".join(known)
        raise JsonApiError(Error(415, f"The file must be {wanted}.", code="type_refused"))


def _said(request: web.Request) -> Said:
    is_form = request.content_type == _MULTIPART
    size = None if is_form else request.content_length
    return Said(size=size, md5=None if is_form else declared_md5(request.headers))


def _check_head(request: web.Request, upload: Upload) -> None:
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise JsonApiError(Error(415, "The body must not be encoded.", code="encoding_refused"))
    if request.content_type == _MULTIPART:
        return
    check_type(upload, request.content_type)
    if (request.content_length or 0) > upload.most:
        detail = f"The file may have {upload.most} bytes."
        raise JsonApiError(Error(413, detail, code="too_large"))


async def _not_yet(request: web.Request) -> None:
    """Let the handler say whether the body is wanted (RFC 9110 section 10.1.1)."""
    if request.headers.get(hdrs.EXPECT, "").lower() != _CONTINUE:
        raise web.HTTPExpectationFailed(text="")


async def _go_on(request: web.Request) -> None:
    if request.headers.get(hdrs.EXPECT) and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What counts as the beginning of the answer is still to come.
        request.writer.output_size = 0
