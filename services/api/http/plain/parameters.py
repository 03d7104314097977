"""Parameters as such clients send them: in the query, as a form or as JSON, all alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from services.api.domain.changes import UNSET, Unset
from services.api.http.bodies import FormFile, coming, read_form
from services.api.http.jsonapi.media import BODY_SECONDS
from services.api.http.jsonapi.parse import parse_id
from services.api.http.plain.errors import PlainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOKEN: Final = "token"  # noqa: S105 - the name of the parameter
_MAX_NUMBER: Final = 2**63
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"

Given = dict[str, object]
"""The values of a request by name: text, what JSON can say, or a file on its way."""


class Kind(Enum):
    """What a parameter holds."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    WORDS = "words"
    PAIRS = "pairs"
    ID = "uuid"
    OBJECT = "object"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an action."""

    name: str
    about: str
    kind: Kind = Kind.TEXT
    required: bool = False
    in_path: bool = False

    def read(self, given: Mapping[str, object]) -> object:
        """Its value, UNSET when it is not there. Raises PlainError."""
        value = given.get(self.name, UNSET)
        if value is UNSET or value is None or value == "":
            if self.required:
                raise _wrong(f"The parameter {self.name} is required.")
            return UNSET
        read = _READERS[self.kind](value)
        if isinstance(read, Unset) and self.in_path:
            raise PlainError("There is no such thing.", HTTPStatus.NOT_FOUND)
        if isinstance(read, Unset):
            raise _wrong(f"The parameter {self.name} is no {self.kind.value}.")
        return read


async def read_given(request: web.Request) -> Given:
    """All that a request says; the body wins over the query. Of a form what its first file follows.

    Raises PlainError, and as ``read_form``.
    """
    given = _gathered(request.query.items())
    if not request.can_read_body:
        return given
    match request.content_type:
        case "application/json":
            return given | _object(await _body(request))
        case type_ if type_ == _MULTIPART:
            with coming():
                # Who sends them is not known yet; the file after them may take longer.
                async with asyncio.timeout(BODY_SECONDS):
                    form = await read_form(request)
            file: Given = {form.file.field: form.file} if form.file else {}
            return given | _gathered(form.fields) | file
        case type_ if type_ == _FORM or not await _body(request):
            await _body(request)
            posted = await request.post()
            return given | _gathered((name, str(value)) for name, value in posted.items())
        case _:
            detail = f"A body is {_FORM}, {_MULTIPART} or application/json."
            raise PlainError(detail, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


async def read_object(request: web.Request) -> Given:
    """The JSON object in the body, whatever it calls itself; none says nothing. Raises PlainError.

    What is sent with curl as its pages show it calls itself a form.
    """
    if request.content_type == _MULTIPART:
        detail = "The body is a JSON object; files are put where the answer says."
        raise PlainError(detail, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = await _body(request)
    return _object(body) if body else {}


async def _body(request: web.Request) -> bytes:
    """The body, which the request keeps. Raises PlainError."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        detail = "The request body did not arrive in time."
        raise PlainError(detail, HTTPStatus.REQUEST_TIMEOUT) from None
    except (web.RequestPayloadError, ConnectionError):
        raise PlainError("The request body is broken.") from None


def _gathered(pairs: object) -> Given:
    """Names with values, those like meta[Title] gathered under meta."""
    given: Given = {}
    for name, value in _pairs(pairs):
        outer, bracket, inner = name.partition("[")
        if bracket and inner.endswith("]"):
            inside = given.setdefault(outer, {})
            if isinstance(inside, dict):
                inside[inner.removesuffix("]")] = value
        else:
            given[name] = value
    return given


def _pairs(pairs: object) -> Iterator[tuple[str, str]]:
    yield from pairs  # type: ignore[misc] # of texts, whoever gives them


def _object(body: bytes) -> Given:
    try:
        return msgspec.json.decode(body, type=Given)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _wrong("The body is no JSON object.") from None


def _text(value: object) -> object:
    if isinstance(value, str):
        return value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else UNSET


def _number(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value < _MAX_NUMBER else UNSET  # type: ignore[operator]


def _flag(value: object) -> object:
    known = {"1": True, "0": False, "true": True, "false": False}
    return known.get(str(value).lower(), UNSET)


def _words(value: object) -> object:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(each, str) for each in words):
        return UNSET
    return [each.strip() for each in words]


def _pairs_of(value: object) -> object:
    if isinstance(value, str):
        value = _object(value.encode(errors="replace"))
    if not isinstance(value, dict):
        return UNSET
    texts = {name: _text(each) for name, each in value.items() if each is not None}
    return UNSET if UNSET in texts.values() else texts


def _id(value: object) -> object:
    return parse_id(value) or UNSET if isinstance(value, str) else UNSET


def _as_it_is(value: object) -> object:
    return value if isinstance(value, dict) else UNSET


def _file(value: object) -> object:
    return value if isinstance(value, FormFile) else UNSET


def _wrong(detail: str) -> PlainError:
    return PlainError(detail, HTTPStatus.UNPROCESSABLE_ENTITY)


_READERS = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.WORDS: _words,
    Kind.PAIRS: _pairs_of,
    Kind.ID: _id,
    Kind.OBJECT: _as_it_is,
    Kind.FILE: _file,
}
