"""Responses: what each kind of operation answers, also when it refuses.

https://spec.openapis.org/oas/v3.1.0#response-object
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from services.api.http.jsonapi.media import MEDIA_TYPE
from services.api.http.jsonapi.reports import JSON
from services.api.http.openapi.schemas import ref

if TYPE_CHECKING:
    from services.api.http.openapi.schemas import Json

# Python 3.13 renamed two of them; these are the names of RFC 9110 section 15.5.
_NAMES = {413: "Content Too Large", 422: "Unprocessable Content"}
_EVERYWHERE = (400, 401, 403, 406, 415, 429, 500, 503)
_OF_ONE = (404,)
_OF_BODIES = (404, 408, 409, 413, 422)
_WRITTEN = "The resource as it is now."
_LIMITS = ("RateLimit", "RateLimit-Policy")
_MORE: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", *_LIMITS),
    503: ("Retry-After",),
}

HEADERS: Json = {
    name: {"description": description, "schema": {"type": "string"}}
    for name, description in {
        "ETag": "The version of what is answered (RFC 9110 section 8.8.3).",
        "Location": "Where the new resource is.",
        "RateLimit": "What the token may still ask for (draft-ietf-httpapi-ratelimit-headers-10).",
        "RateLimit-Policy": "What a token may ask for (same draft).",
        "Retry-After": "Seconds to wait before the next try (RFC 9110 section 10.2.3).",
        "WWW-Authenticate": "How to identify oneself (RFC 6750 section 3).",
    }.items()
}


def _headers(*names: str) -> Json:
    return {name: _header(name) for name in names}


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


REFUSALS: Json = {
    str(status): {
        "description": _NAMES.get(status) or HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": ref("Errors")}},
        **({"headers": _headers(*_MORE[status])} if status in _MORE else {}),
    }
    for status in sorted({*_EVERYWHERE, *_OF_ONE, *_OF_BODIES, 412})
}


def found(schema: str, description: str, *, one: bool = False) -> Json:
    """Of a read; ``one`` is one resource, which may not exist."""
    unchanged = {"description": "It still has this ETag.", "headers": _headers("ETag")}
    good = {200: _document(schema, description, "ETag"), 304: unchanged}
    return _answers(good, *(_OF_ONE if one else ()))


def report() -> Json:
    """Of a validation report, which is no JSON:API document."""
    answers = found("ValidationReport", "As ValidationReport of the gRPC contract.", one=True)
    answers["200"]["content"] = {JSON: answers["200"]["content"].pop(MEDIA_TYPE)}
    return answers


def created(schema: str, *, secret: bool) -> Json:
    """Of a new resource; ``secret``: it is told something this once."""
    description = "The new resource; its secret is in `meta` this once." if secret else _WRITTEN
    answer = _document(schema, description, "ETag", "Location")
    return _answers({HTTPStatus.CREATED.value: answer}, *_OF_BODIES)


def written(schema: str, *, status: int) -> Json:
    """Of a write that answers with the resource, or with what it has made."""
    more = ("Location",) if status == HTTPStatus.CREATED else ()
    answer = _document(schema, _WRITTEN, "ETag", *more)
    return _answers({status: answer}, *_OF_BODIES, 412)


def made(schema: str, *more: int) -> Json:
    """Of something that is made and cannot be read again; ``more`` refusals than usual."""
    answer = _document(schema, "What was made. It is shown this once.")
    return _answers({HTTPStatus.CREATED.value: answer}, *_OF_BODIES, *more)


def deleted() -> Json:
    """Of a deletion."""
    return _answers({204: {"description": "It is gone."}}, 404, 409, 412)


def refused() -> Json:
    """Of what is always refused."""
    return _answers({}, *_OF_ONE)


def streamed() -> Json:
    """Of a stream of Server-Sent Events."""
    content = {"text/event-stream": {"schema": {"type": "string"}}}
    description = "Events as they happen; the data of each is a JSON:API document."
    nothing = {"description": "There will be no more events."}
    answer = {"description": description, "content": content}
    return _answers({200: answer, 204: nothing}, *_OF_ONE)


def atomic(media_type: str) -> Json:
    """Of several operations."""
    answer = _document("AtomicResults", "The result of each operation, in order.")
    answer["content"] = {media_type: next(iter(answer["content"].values()))}
    nothing = {"description": "All was done and there is nothing to tell."}
    return _answers({200: answer, 204: nothing}, *_OF_BODIES, 412)


def _answers(good: dict[int, Json], *statuses: int) -> Json:
    refusals = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in sorted({*_EVERYWHERE, *statuses})
    }
    return {str(status): answer for status, answer in good.items()} | refusals


def _document(schema: str, description: str, *headers: str) -> Json:
    return {
        "description": description,
        "headers": _headers(*headers, *_LIMITS),
        "content": {MEDIA_TYPE: {"schema": ref(schema)}},
    }
