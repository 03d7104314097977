"""The OpenAPI document of this dialect."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

Json = dict[str, Any]

_MEDIA: Final = "application/json"
_BOTH: Final = (_MEDIA, "application/vnd.api+json")
_TEXT: Final[Json] = {"type": "string"}
_TRACK: Final[Json] = {
    "url_or_upload_request_id": _TEXT,
    "type": {"type": "string", "enum": ["subtitles", "audio"]},
    "language_code": _TEXT,
    "name": _TEXT,
    "closed_captions": {"type": ["boolean", "null"]},
}
_CALLS: Final = (
    # Method, path, name, what it does, type and attributes of its body, required ones, its answer.
    ("post", "/upload-requests", "createUploadRequest", "Expect a file",
     ("upload_request", {"filename": _TEXT}, ()), "200"),
    ("get", "/uploads", "listUploads", "List uploads", None, "200"),
    ("post", "/uploads", "createUpload", "Keep the file of an upload request",
     ("upload", {"path": _TEXT}, ("path",)), "202"),
    ("get", "/uploads/{id}", "getUpload", "Get an upload", None, "200"),
    ("delete", "/uploads/{id}", "deleteUpload", "Delete an upload with its tracks", None, "202"),
    ("get", "/uploads/{id}/tracks", "listTracks", "List the tracks of an upload", None, "200"),
    ("post", "/uploads/{id}/tracks", "createTrack", "Create a new upload track",
     ("upload_track", _TRACK, ("url_or_upload_request_id", "type", "language_code")), "202"),
    ("get", "/uploads/{id}/tracks/{track}", "getTrack", "Get an upload track", None, "200"),
    ("put", "/uploads/{id}/tracks/{track}", "updateTrack", "Change an upload track",
     ("upload_track", _TRACK, ()), "202"),
    ("delete", "/uploads/{id}/tracks/{track}", "deleteTrack", "Delete an upload track",
     None, "202"),
    ("get", "/job-results/{id}", "getJobResult", "How a job ended; 404 until then", None, "200"),
)  # fmt: skip
_LISTS: Final = ("listUploads", "listTracks")
_ERROR: Final[Json] = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "type", "attributes"],
                "properties": {
                    "id": _TEXT,
                    "type": {"const": "api_error"},
                    "attributes": {
                        "type": "object",
                        "required": ["code", "doc_url", "details"],
                        "properties": {
                            "code": _TEXT,
                            "doc_url": _TEXT,
                            "details": {"type": "object"},
                            "transient": {"type": "boolean"},
                        },
                    },
                },
            },
        }
    },
}


def describe(url: str) -> Json:
    """The document of the calls below a URL."""
    paths: dict[str, Json] = {}
    for method, path, name, about, body, status in _CALLS:
        operation: Json = {
            "operationId": name,
            "summary": about,
            "parameters": [*_parameters(path, name)],
            "responses": {
                status: {"description": _answer(status), "content": _content()},
                "default": {"$ref": "#/components/responses/Error"},
            },
        }
        if body is not None:
            content = {type_: {"schema": _body(*body)} for type_ in _BOTH}
            operation["requestBody"] = {"required": True, "content": content}
        paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Upload tracks",
            "version": version("stagedoor"),
            "description": "Writes answer with a job, whose result tells what came of them.",
        },
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "responses": {
                "Error": {
                    "description": "What is wrong, each with a code.",
                    "content": {_MEDIA: {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _parameters(path: str, name: str) -> list[Json]:
    found = [_parameter("X-Api-Version", "header", "Always 3.", {"type": "string", "enum": ["3"]})]
    for part, about in (("id", "Which one."), ("track", "Which track.")):
        if f"{{{part}}}" in path:
            found.append(_parameter(part, "path", about, _TEXT))
    if name in _LISTS:
        for part, least in (("limit", 1), ("offset", 0)):
            schema = {"type": "integer", "minimum": least}
            about = "Which piece of the list."
            found.append(_parameter(f"page[{part}]", "query", about, schema, required=False))
    return found


def _parameter(name: str, where: str, about: str, schema: Json, *, required: bool = True) -> Json:
    return {
        "name": name, "in": where, "description": about, "required": required, "schema": schema,
    }  # fmt: skip


def _body(type_: str, attributes: Json, required: tuple[str, ...]) -> Json:
    properties: Json = {"type": "object", "properties": attributes, "required": [*required]}
    data = {
        "type": "object",
        "required": ["type", *(["attributes"] if required else [])],
        "properties": {"type": {"const": type_}, "attributes": properties},
    }
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


def _answer(status: str) -> str:
    return "A job, whose result is to be asked for." if status == "202" else "Done."


def _content() -> Json:
    schema = {"type": "object", "required": ["data"]}
    return {_MEDIA: {"schema": schema}}
