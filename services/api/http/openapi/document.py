"""The OpenAPI document of a facade.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from services.api.http.openapi import responses, schemas
from services.api.http.openapi.operations import Describer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from services.api.http.jsonapi.resource import Resource
    from services.api.http.openapi.schemas import Json

EXAMPLES = Path(__file__).parent / "examples"
"""Requests and responses of the tests, one file for each operation that has any."""


def describe(
    facade: web.Application, resources: Iterable[Resource[Any]], *, title: str, url: str
) -> Json:
    """The document of a facade that is not mounted yet; its paths are below ``url``.

    Raises LookupError for a route that cannot be described.
    """
    by_type = {each.type: each for each in resources}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version("stagedoor"),
            "description": "Import audio masters: JSON:API, https://jsonapi.org/format/.",
        },
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": _paths(facade, Describer(by_type)),
        "components": {
            "schemas": schemas.components(by_type.values()),
            "responses": responses.REFUSALS,
            "headers": responses.HEADERS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(facade: web.Application, describer: Describer) -> Json:
    paths: Json = {}
    for route in facade.router.routes():
        if route.resource is not None and route.method != "HEAD":
            path = route.resource.canonical
            operation = describer.describe(route.method, path)
            paths.setdefault(path, {})[route.method.lower()] = _with_example(operation)
    return paths


def _with_example(operation: Json) -> Json:
    """The operation with what was really said in a test, if one was recorded."""
    file = EXAMPLES / f"{operation['operationId']}.json"
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
