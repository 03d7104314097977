"""Resumable uploads: tus 1.0.0, core with creation, termination, checksum and expiration.

https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
import binascii
import re
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from services.api.domain.errors import InvalidFields
from services.api.domain.principal import Principal
from services.api.http.authentication import PRINCIPAL, public
from services.api.http.bodies import pieces_of, told
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.use_cases.appending import Go
from services.api.use_cases.upload_fields import UploadFields
from services.api.use_cases.uploads import LINK, WRITE, awaited

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from services.api.domain.uploads import Upload
    from services.api.http.incoming import Incoming
    from services.api.use_cases.appending import Appending
    from services.api.use_cases.uploads import Uploads

VERSION: Final = "1.0.0"
RESUMABLE: Final = "Tus-Resumable"
EXTENSIONS: Final = "creation,creation-defer-length,termination,checksum,expiration"
ALGORITHMS: Final = ("md5", "sha1", "sha256")
OFFSET_TYPE: Final = "application/offset+octet-stream"
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_NAMES: Final = {"filename": "file_name", "filetype": "content_type", "kind": "kind"}
"""What clients call the fields of an upload."""


@web.middleware
async def versioned(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse another version of the protocol (its core, Tus-Resumable)."""
    if request.headers.get(RESUMABLE, VERSION) != VERSION:
        error = Error(HTTPStatus.PRECONDITION_FAILED, f"The version of tus here is {VERSION}.")
        raise JsonApiError(error, headers={"Tus-Version": VERSION})
    return await handler(request)


async def tell_version(request: web.Request, response: web.StreamResponse) -> None:
    """Name the version on every answer to who speaks tus."""
    if RESUMABLE in request.headers:
        response.headers[RESUMABLE] = VERSION


class Tus:
    """The routes of tus on the uploads that links of ours open."""

    def __init__(self, incoming: Incoming, appending: Appending) -> None:
        """Append to these uploads."""
        self._incoming = incoming
        self._appending = appending

    @property
    def _uploads(self) -> Uploads:
        return self._appending.uploads

    @public
    async def options(self, _: web.Request) -> web.Response:
        """Say what is spoken here."""
        headers = {
            RESUMABLE: VERSION,
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            "Tus-Max-Size": str(self._uploads.max_bytes),
        }
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)

    async def create(self, request: web.Request) -> web.Response:
        """Expect a file of whoever has a token; its link is the Location."""
        request[PRINCIPAL].require(WRITE)
        fields = _metadata(request.headers.get("Upload-Metadata", ""))
        is_deferred = request.headers.get("Upload-Defer-Length") == "1"
        size = None if is_deferred else _length(request)
        new = UploadFields(**fields, declared_size=size)
        try:
            upload = await self._uploads.create(request[PRINCIPAL], new)
        except InvalidFields as refused:
            raise JsonApiError(Error(400, refused.detail)) from None
        origin = self._uploads.url or f"{request.scheme}://{request.host}"
        headers = {"Location": self._uploads.link(upload, origin) or "", **_expiry(upload)}
        return web.Response(status=HTTPStatus.CREATED, headers=headers)

    @public
    async def head(self, request: web.Request) -> web.Response:
        """Say how far the file is."""
        upload = await self._incoming.redeemed(request)
        headers = {"Cache-Control": "no-store", **_expiry(upload)}
        done = upload.master.size_bytes if upload.master else None
        if done is None:
            upload = awaited(upload)
        size = upload.declared_size if done is None else done
        headers |= {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
        with told():
            offset = await self._appending.offset(upload) if done is None else done
        return web.Response(headers={**headers, "Upload-Offset": str(offset)})

    @public
    async def patch(self, request: web.Request) -> web.Response:
        """Add the body to the file."""
        if request.content_type != OFFSET_TYPE:
            raise JsonApiError(Error(415, f"The body must be {OFFSET_TYPE}."))
        upload = awaited(await self._incoming.redeemed(request))
        if "Upload-Length" in request.headers or upload.declared_size is None:
            upload = await self._declared(upload, _length(request))
        go = _go(request)
        await self._uploads.room(upload, max(upload.most, 1))
        async with self._incoming.reading(request):
            offset = await self._appending.append(upload, pieces_of(request), go)
        headers = {"Upload-Offset": str(offset), **_expiry(upload)}
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)

    async def _declared(self, upload: Upload, size: int) -> Upload:
        try:
            return await self._uploads.declare(upload, size)
        except InvalidFields as refused:
            raise JsonApiError(Error(400, refused.detail)) from None

    @public
    async def delete(self, request: web.Request) -> web.Response:
        """Forget the file, and the upload."""
        upload = awaited(await self._incoming.redeemed(request))
        holder = Principal(
            tenant=upload.tenant,
            token_id=LINK,
            scopes=frozenset({WRITE}),
            address=request.remote or "",
        )
        await self._uploads.delete(holder, upload.id)
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _expiry(upload: Upload) -> dict[str, str]:
    return {"Upload-Expires": format_datetime(upload.expires_at, usegmt=True)}


def _length(request: web.Request) -> int:
    # Of a file without bytes no body would ever come that ends it.
    return _number(request, "Upload-Length", 1)


def _number(request: web.Request, name: str, least: int = 0) -> int:
    given = request.headers.get(name, "")
    if not _NUMBER.fullmatch(given) or int(given) < least:
        raise JsonApiError(Error(400, f"The header {name} must be a number of bytes.", header=name))
    return int(given)


def _go(request: web.Request) -> Go:
    offset = _number(request, "Upload-Offset")
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return Go(offset=offset)
    algorithm, _, encoded = given.partition(" ")
    if algorithm not in ALGORITHMS:
        raise JsonApiError(Error(400, f"A checksum is one of {', '.join(ALGORITHMS)}."))
    return Go(offset=offset, algorithm=algorithm, checksum=_decoded(encoded))


def _metadata(header: str) -> dict[str, Any]:
    """The fields of an upload among the metadata; others are left out."""
    found: dict[str, Any] = {}
    for pair in filter(None, header.split(",")):
        name, _, value = pair.strip().partition(" ")
        if name in _NAMES:
            found[_NAMES[name]] = _decoded(value).decode(errors="replace")
    return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise JsonApiError(Error(400, f"{text[:50]!r} is no Base64.")) from None
