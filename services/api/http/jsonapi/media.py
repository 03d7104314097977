"""The media type: what may come in, what may go out, and how bytes become documents and back.

JSON:API 1.0, Content Negotiation: https://jsonapi.org/format/1.0/#content-negotiation
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import web

from services.api.http.jsonapi.errors import Error, JsonApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MEDIA_TYPE = "application/vnd.api+json"
BODY_SECONDS = 10.0
"""How long a client may take to send the body of a request."""

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_CONTENT_TYPE = "as its Content-Type"
_URIS = frozenset({"ext", "profile"})
# Commas and semicolons within quotes separate nothing (RFC 9110 section 5.6.4).
_QUOTED = r'"(?:[^"\\]|\\.)*"?'
_LISTED = re.compile(rf"(?:[^,\"]|{_QUOTED})+")
_PARAMETERS = re.compile(rf"(?:[^;\"]|{_QUOTED})+")

IsAccepted = Callable[["Sequence[MediaRange]", "Speech"], bool]
"""Whether media ranges of an Accept header allow what a route answers in."""
Handling = TypeVar("Handling", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What a route answers in when all goes well, and the JSON:API extensions that it applies."""

    answers: str = MEDIA_TYPE
    extensions: frozenset[str] = frozenset()


PLAIN = Speech()


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One media type or range of a header, with its parameters in lower-case names."""

    type: str
    parameters: tuple[tuple[str, str], ...]
    bare: bool

    def uris(self, name: str) -> frozenset[str]:
        """The URIs in a parameter that lists such, ``ext`` or ``profile``."""
        values = (value for key, value in self.parameters if key == name)
        return frozenset(uri for value in values for uri in value.split())

    @property
    def weight(self) -> float:
        """Its ``q``; a broken one counts as 1."""
        for name, value in self.parameters:
            if name == "q":
                try:
                    return float(value)
                except ValueError:
                    return 1.0
        return 1.0


def speaks(speech: Speech) -> Callable[[Handling], Handling]:
    """Mark a handler whose route answers in something else than plain JSON:API."""

    def mark(handler: Handling) -> Handling:
        handler.speech = speech  # type: ignore[attr-defined] # functions take attributes
        return handler

    return mark


def speech_of(request: web.Request) -> Speech:
    """What the route of a request answers in."""
    handler: object = request.match_info.handler
    while isinstance(handler, partial):
        handler = handler.func
    speech = getattr(handler, "speech", PLAIN)
    return speech if isinstance(speech, Speech) else PLAIN


def respond(
    document: Mapping[str, object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **parameters: str | None,
) -> web.Response:
    """A document as a response.

    Its Content-Type has no parameter but the ``ext`` or ``profile`` that was applied.
    """
    body = msgspec.json.encode(document)
    return web.Response(body=body, status=status, headers=headed(headers, **parameters))


def headed(headers: Mapping[str, str] | None = None, **parameters: str | None) -> dict[str, str]:
    """The headers of a document; what is sent depends on Accept, as caches have to know."""
    type_ = "".join((MEDIA_TYPE, *(f';{name}="{uri}"' for name, uri in parameters.items() if uri)))
    return {"Content-Type": type_, "Vary": "Accept", **(headers or {})}


def negotiate(request: web.Request, is_accepted: IsAccepted) -> None:
    """Refuse a request that cannot be answered in the media type of its route.

    No Accept is served, and what ``is_accepted`` lets through. Raises
    JsonApiError: 406 when Accept leaves no way to answer, 415 when Content-Type is JSON:API with a
    parameter besides ``profile`` or with an extension that the route does not apply.
    """
    speech = speech_of(request)
    ranges = [*_accepted(request)]
    if ranges and not is_accepted(ranges, speech):
        raise JsonApiError(Error(406, f"The response can only be {speech.answers}."))
    given = _parse(request.headers.get("Content-Type", ""))
    if given.type == MEDIA_TYPE and not given.bare and not _is_understood(given, speech):
        raise _unsupported("without any parameter")


def accepted_profile(request: web.Request, profiles: frozenset[str]) -> str | None:
    """Which of these profiles, which are names of the same, the client asks for."""
    asked = (profiles & each.uris("profile") for each in _accepted(request))
    return next((min(found) for found in asked if found), None)


async def read_document(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body.

    Raises JsonApiError: 415 for another Content-Type, 408 for a body that does not come, 400 for
    one that is broken or no JSON object. aiohttp itself raises 413.
    """
    given = _parse(request.headers.get("Content-Type", ""))
    speech = speech_of(request)
    if given.type != MEDIA_TYPE or not speech.extensions <= given.uris("ext"):
        listed = " ".join(sorted(speech.extensions))
        raise _unsupported(f'with ext="{listed}" as its Content-Type' if listed else _CONTENT_TYPE)
    body = await _read(request)
    if not body:
        raise _invalid_json("Expecting JSON to decode.")
    try:
        document = msgspec.json.decode(body)
    except _MALFORMED as error:
        raise _invalid_json("The request body is not valid JSON.") from error
    if not isinstance(document, dict):
        raise _invalid_json("Expecting JSON to decode to an object.")
    return document


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        headers = {"Connection": "close"}
        late = Error(408, "The request body did not arrive in time.")
        raise JsonApiError(late, headers=headers) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise JsonApiError(Error(400, "The request body is broken.")) from error


def _accepted(request: web.Request) -> Iterator[MediaRange]:
    for header in request.headers.getall("Accept", []):
        yield from _ranges(header)


# Clients say the same again and again.
@lru_cache(maxsize=256)
def _ranges(header: str) -> tuple[MediaRange, ...]:
    return tuple(_parse(part) for part in _LISTED.findall(header) if part.strip())


@lru_cache(maxsize=256)
def _parse(text: str) -> MediaRange:
    type_, *parts = (part.strip() for part in _PARAMETERS.findall(text) or [""])
    pairs = (part.partition("=") for part in parts)
    parameters = tuple((name.strip().lower(), _unquoted(value.strip())) for name, _, value in pairs)
    return MediaRange(type_.lower(), parameters, bare=";" not in text)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def allows(ranges: Sequence[MediaRange], speech: Speech) -> bool:
    """Whether the most specific of these ranges allow an answer (RFC 9110 section 12.5.1).

    ``*/*`` and ``application/*`` do, and unknown profiles are ignored. No wildcard saves a client
    that names JSON:API only in ways that are none.
    """
    main = speech.answers.partition("/")[0]
    for type_ in (speech.answers, f"{main}/*", "*/*"):
        named = [each for each in ranges if each.type == type_]
        if named:
            return any(_allows(each, speech) for each in named)
    return False


def _allows(media_range: MediaRange, speech: Speech) -> bool:
    if not media_range.weight:
        return False
    # A weight is no parameter of the media type; any other one is, also behind the weight.
    weightless = tuple(pair for pair in media_range.parameters if pair[0] != "q")
    return _is_understood(MediaRange(media_range.type, weightless, bare=not weightless), speech)


def _is_understood(given: MediaRange, speech: Speech) -> bool:
    names = {name for name, _ in given.parameters}
    return given.bare or (bool(names) and names <= _URIS and given.uris("ext") <= speech.extensions)


def _unsupported(how: str) -> JsonApiError:
    return JsonApiError(Error(415, f"The request must have {MEDIA_TYPE} {how}."))


def _invalid_json(detail: str) -> JsonApiError:
    return JsonApiError(Error(HTTPStatus.BAD_REQUEST, detail, title="Invalid JSON"))
