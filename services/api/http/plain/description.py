"""The OpenAPI document of actions: what they take in the path, a query, a form or JSON."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from services.api.http.plain.parameters import TOKEN, Kind, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.api.http.plain.actions import Action
    from services.api.http.plain.dialect import Dialect

Json = dict[str, Any]

_SCHEMAS: dict[Kind, Json] = {
    Kind.TEXT: {"type": "string"},
    Kind.NUMBER: {"type": "integer", "minimum": 1},
    Kind.FLAG: {"type": "string", "enum": ["0", "1"]},
    Kind.WORDS: {"type": "string"},
    Kind.PAIRS: {"type": "object", "additionalProperties": {"type": "string"}},
    Kind.ID: {"type": "string", "format": "uuid"},
    Kind.OBJECT: {"type": "object"},
    Kind.FILE: {"type": "string", "format": "binary"},
}
_WORD = re.compile("[A-Za-z]+")
_LOOSE = "Parameters in a query, a form or JSON; answers are plain JSON."
_STRICT = "A JSON object in, a JSON object out."
_MULTIPART = "multipart/form-data"
_TOKEN = Parameter(name=TOKEN, about="The token, unless it is in the Authorization header.")


def describe(actions: Iterable[Action], *, title: str, url: str, dialect: Dialect) -> Json:
    """The document of actions below a URL."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version("stagedoor"),
            "description": _LOOSE if dialect.loose else _STRICT,
        },
        "servers": [{"url": url}],
        "security": [{"token": []}, *([{"parameter": []}] if dialect.loose else [])],
        "paths": {f"/{each.name}": _path(each, dialect) for each in actions},
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": [*dialect.refusal_schema],
                    "properties": dict(dialect.refusal_schema),
                }
            },
            "responses": {
                "Error": {
                    "description": "What is wrong, for people.",
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}
                    },
                }
            },
            "securitySchemes": _schemes(dialect),
        },
    }


def _schemes(dialect: Dialect) -> Json:
    schemes = {"token": {"type": "http", "scheme": "bearer"}}
    if dialect.loose:
        schemes["parameter"] = {"type": "apiKey", "in": "query", "name": TOKEN}
    return schemes


def _path(action: Action, dialect: Dialect) -> Json:
    inside = [_parameter(each, "path") for each in action.parameters if each.in_path]
    others = [each for each in action.parameters if not each.in_path]
    kinds: dict[str, Json] = {
        "GET": {"parameters": [*inside, *(_parameter(each, "query") for each in _plain(others))]},
        "POST": {"parameters": inside, "requestBody": _body(others, dialect)},
    }
    return {
        method.lower(): _operation(action, method.lower()) | kinds[method]
        for method in action.methods
    }


def _operation(action: Action, method: str) -> Json:
    answer = {"schema": {"type": "object"}, "example": dict(action.answer)}
    words = _WORD.findall(action.name)
    return {
        "operationId": method + "".join(f"{word[0].upper()}{word[1:]}" for word in words),
        "summary": action.about,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": answer}},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }


def _parameter(parameter: Parameter, where: str) -> Json:
    described: Json = {
        "name": parameter.name,
        "in": where,
        "description": parameter.about,
        "required": parameter.required,
        "schema": _SCHEMAS[parameter.kind],
    }
    if parameter.kind is Kind.PAIRS:
        described["style"] = "deepObject"
    return described


def _body(parameters: list[Parameter], dialect: Dialect) -> Json:
    plain = _plain(parameters)
    form = ("application/x-www-form-urlencoded",) if dialect.loose else ()
    schemas = dict.fromkeys(("application/json", *form), _fields(plain, dialect))
    if len(plain) < len(parameters):
        schemas[_MULTIPART] = _fields(parameters, dialect)
    return {"content": {type_: {"schema": schema} for type_, schema in schemas.items()}}


def _plain(parameters: list[Parameter]) -> list[Parameter]:
    return [each for each in parameters if each.kind is not Kind.FILE]


def _fields(parameters: list[Parameter], dialect: Dialect) -> Json:
    # A token and what else there is come before a file.
    known = (*([_TOKEN] if dialect.loose else []), *parameters)
    return {
        "type": "object",
        "properties": {
            each.name: {**_SCHEMAS[each.kind], "description": each.about}
            for each in sorted(known, key=lambda each: each.kind is Kind.FILE)
        },
        "required": [each.name for each in parameters if each.required],
    }
