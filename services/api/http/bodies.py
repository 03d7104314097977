"""The bytes in a request's body, as they come, what is said of them, and what is wrong."""

from __future__ import annotations

import asyncio
import base64
import binascii
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import BodyPartReader, ClientPayloadError, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.use_cases.appending import ChecksumDiffers, OffsetDiffers
from services.api.use_cases.receiving import (
    Md5Differs,
    NoCover,
    ReceiveError,
    SizeDiffers,
    TooLarge,
)
from shared.blobs.base import BlobBusy, CannotGrow, NoSpace, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Iterator,
        Mapping,
    )

T = TypeVar("T")

STALL_SECONDS: Final = 60.0
"""How long a body may bring nothing: who takes longer gives its place to others."""
_CHUNK: Final = 256 * 1024
_MAX_FIELDS: Final = 128
_MAX_FIELD_BYTES: Final = 64 * 1024
_MD5_BYTES: Final = 16
_BROKEN: Final = (ConnectionError, ClientPayloadError, HttpProcessingError, web.RequestPayloadError)

# Of tus; no code of HTTP.
_CHECKSUM_MISMATCH: Final = 460
_TITLES: Final = {_CHECKSUM_MISMATCH: "Checksum Mismatch"}
_WRONG: Final[Mapping[type[ReceiveError], tuple[int, str]]] = {
    TooLarge: (413, "too_large"),
    SizeDiffers: (400, "size_differs"),
    Md5Differs: (400, "md5_differs"),
    OffsetDiffers: (409, "offset_differs"),
    NoCover: (422, "cover_refused"),
    ChecksumDiffers: (_CHECKSUM_MISMATCH, "checksum_differs"),
}


def declared_md5(headers: Mapping[str, str]) -> str | None:
    """The MD5 of the body that the request declares, in hexadecimal digits; None for none.

    Content-MD5 (RFC 1864) or an ``md5`` in Digest (RFC 3230). Raises JsonApiError for what is none.
    """
    given = [headers["Content-MD5"]] if "Content-MD5" in headers else []
    for each in headers.get("Digest", "").split(","):
        name, _, value = each.partition("=")
        if name.strip().lower() == "md5":
            given.append(value)
    digests = {_digest(each.strip()) for each in given}
    if len(digests) > 1:
        raise JsonApiError(Error(400, "Two different MD5 are declared.", code="md5_invalid"))
    return digests.pop() if digests else None


async def pieces_of(
    request: web.Request, check_type: Callable[[str], None] = lambda _: None
) -> AsyncGenerator[bytes]:
    """The body, or of a form its first file, whose media type is given to ``check_type``.

    Raises JsonApiError for a body that breaks off or stalls, and for a form without a file.
    """
    with coming():
        if request.content_type.startswith("multipart/"):
            file = (await read_form(request)).file
            if file is None:
                raise JsonApiError(Error(400, "The form has no file.", code="file_missing"))
            check_type(file.media_type)
            while piece := await file.read():
                yield piece
            await file.end()
        else:
            while piece := await _soon(request.content.readany()):
                yield piece


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file in a form, on its way; ``field`` is the name of its field."""

    field: str
    name: str
    media_type: str
    _reader: MultipartReader
    _part: BodyPartReader

    async def read(self) -> bytes:
        """Some more of it; nothing at its end."""
        return await _soon(self._part.read_chunk(_CHUNK))

    async def end(self) -> bool:
        """Whether the form ends with the file. Raises what ``coming`` knows if nothing says so."""
        return await _soon(self._reader.next()) is None


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that come before its first file, and that file if there is one."""

    fields: list[tuple[str, str]]
    file: FormFile | None = None


async def read_form(request: web.Request) -> Form:
    """The form up to its first file. Raises JsonApiError for too much; to be read in ``coming``."""
    reader, form, size = await request.multipart(), Form([]), 0
    while isinstance(part := await _soon(reader.next()), BodyPartReader):
        if part.filename is not None:
            file = FormFile(part.name or "", part.filename, _media_type(part), reader, part)
            return replace(form, file=file)
        value = bytearray()
        while piece := await _soon(part.read_chunk(_CHUNK)):
            value += piece
            size += len(piece)
            if size > _MAX_FIELD_BYTES:
                raise JsonApiError(Error(413, "The fields before the file are too large."))
        form.fields.append((part.name or "", value.decode(errors="replace")))
        if len(form.fields) > _MAX_FIELDS:
            raise JsonApiError(Error(413, "There are too many fields before the file."))
    return form


@contextmanager
def coming() -> Iterator[None]:
    """While a body comes: raises JsonApiError when it breaks off or stalls, or makes no sense."""
    try:
        yield
    except TimeoutError:
        stalled = Error(408, "The body does not come.")
        raise JsonApiError(stalled, headers={"Connection": "close"}) from None
    except (*_BROKEN, ValueError, AssertionError):
        raise JsonApiError(Error(400, "The body broke off or is malformed.")) from None


@contextmanager
def told() -> Iterator[None]:
    """Say of the bytes what is wrong with them, and of the store that it is not there."""
    try:
        yield
    except ReceiveError as error:
        status, code = _WRONG[type(error)]
        raise JsonApiError(
            Error(status, error.detail, title=_TITLES.get(status, ""), code=code)
        ) from None
    except BlobBusy as error:
        raise JsonApiError(Error(423, str(error), code="busy")) from None
    except CannotGrow:
        only = "This deployment takes a file in one go only: use PUT."
        raise JsonApiError(Error(501, only, code="not_resumable")) from None
    except NoSpace:
        raise JsonApiError(Error(507, "There is no room for the bytes.")) from None
    except StoreUnavailable:
        away = Error(503, "The store cannot be reached now. Try again.")
        raise JsonApiError(away, headers={"Retry-After": "1"}) from None


async def _soon(reading: Awaitable[T]) -> T:
    async with asyncio.timeout(STALL_SECONDS):
        return await reading


def _media_type(part: BodyPartReader) -> str:
    given = part.headers.get("Content-Type", "application/octet-stream")
    return given.partition(";")[0].strip().lower()


def _digest(text: str) -> str:
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != _MD5_BYTES:
        raise JsonApiError(Error(400, "The MD5 is no 16 bytes in Base64.", code="md5_invalid"))
    return digest.hex()
