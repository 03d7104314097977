"""The OpenAPI document of a facade.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from services.api.http.jsonapi.dialect import STANDARD, Dialect
from services.api.http.openapi import responses, schemas
from services.api.http.openapi.operations import Describer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from services.api.http.jsonapi.resource import Resource
    from services.api.http.openapi.schemas import Json

Endpoint = tuple[str, str]
"""A method and a path, with names in braces."""
EXAMPLES = Path(__file__).parent / "examples"
"""Requests and responses of the tests, one file for each operation that has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the document of a facade is made from; ``examples`` is where those of its tests are."""

    title: str
    resources: tuple[Resource[Any], ...]
    dialect: Dialect = STANDARD
    examples: Path | None = None


def endpoints(facade: web.Application) -> list[Endpoint]:
    """What a facade serves that is not mounted yet."""
    return [
        (route.method, route.resource.canonical)
        for route in facade.router.routes()
        if route.resource is not None and route.method != "HEAD"
    ]


def describe(served: Iterable[Endpoint], what: Description, url: str) -> Json:
    """The document of a facade that serves these below ``url``.

    Raises LookupError for one that cannot be described.
    """
    describer = Describer(what.resources, what.dialect)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": what.title,
            "version": version("stagedoor"),
            "description": "Import audio masters: JSON:API, https://jsonapi.org/format/.",
        },
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": _paths(served, describer, what.examples),
        "components": {
            "schemas": schemas.components(what.resources, what.dialect),
            "responses": responses.REFUSALS,
            "headers": responses.HEADERS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(served: Iterable[Endpoint], describer: Describer, examples: Path | None) -> Json:
    paths: Json = {}
    for method, path in served:
        operation = describer.describe(method, path)
        described = operation if examples is None else _with_example(operation, examples)
        paths.setdefault(path, {})[method.lower()] = described
    return paths


def _with_example(operation: Json, examples: Path) -> Json:
    """The operation with what was really said in a test, if one was recorded."""
    file = examples / f"{operation['operationId']}.json"
    if not file.exists():
        return operation
    recorded = msgspec.json.decode(file.read_bytes())
    answer = operation["responses"][str(recorded["status"])]
    for part, example in (
        (operation.get("requestBody", {}), recorded["request"]),
        (answer, recorded["response"]),
    ):
        for content in part.get("content", {}).values():
            content["example"] = example
    return operation
