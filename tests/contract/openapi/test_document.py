"""The description: valid, whole, open to everybody, with examples that were really answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import msgspec
import pytest
from aiohttp import web
from openapi_spec_validator import validate

from services.api.http.facades import atmos
from services.api.http.openapi.document import EXAMPLES, describe, endpoints
from services.api.http.server import make_app
from tests.support.examples import record
from tests.support.jsonapi import Client, serving

if TYPE_CHECKING:
    from tests.support.core import Core

PUBLIC = "https://domain.com"
RESOURCES = atmos.RESOURCES


async def _ready() -> bool:
    return True


@pytest.fixture
def app(core: Core) -> web.Application:
    """The application."""
    return make_app(core.use_cases, public_url=PUBLIC, ready=_ready)


@pytest.fixture
def document(core: Core) -> Any:
    """The document."""
    facade = atmos.make_facade(core.use_cases, PUBLIC)
    return describe(endpoints(facade), atmos.DESCRIPTION, f"{PUBLIC}{atmos.PREFIX}")


def test_it_is_valid(document: Any) -> None:
    validate(document)
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids)) > 20


def test_every_route_is_in_it(app: web.Application, document: Any) -> None:
    served = {
        (route.method.lower(), route.resource.canonical.removeprefix(atmos.PREFIX))
        for route in app.router.routes()
        if route.resource and route.method != "HEAD" and atmos.PREFIX in route.resource.canonical
    }
    described = {(method, path) for path, each in document["paths"].items() for method in each}
    assert served - described == {("get", "/openapi.json"), ("get", "/docs")}
    assert described <= served


async def _surprise(_: web.Request) -> web.Response:
    return web.Response()


def test_a_route_that_nobody_described_is_noticed() -> None:
    for path in ("/surprise", "/tracks/{id}/track/more"):
        facade = web.Application()
        facade.router.add_get(path, _surprise)
        with pytest.raises(LookupError, match="is not described"):
            describe(endpoints(facade), atmos.DESCRIPTION, "/")


async def test_everybody_may_read_it(app: web.Application, document: Any) -> None:
    async with serving(app) as session, session.get("/api/v1/openapi.json") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert await response.json() == msgspec.json.decode(msgspec.json.encode(document))


async def test_what_is_said_to_be_required_is(core: Core, app: web.Application) -> None:
    writing = ["tasks:write", "tracks:write", "catalogue:write", "subscriptions:write"]
    token = await core.use_cases.tokens.issue("default", "test", writing)
    for resource in (each for each in RESOURCES if each.required):
        data = {"type": resource.type, "attributes": {}}
        async with serving(app) as session:
            answer = await Client(session, token).send("POST", f"/{resource.type}", {"data": data})
        names = {resource.writable[each].name for each in resource.required}
        assert {where.rpartition("/")[2] for where, _ in answer.refusals} == names


# Examples


async def test_the_examples_are_what_is_answered(core: Core) -> None:
    written = {file.stem: msgspec.json.decode(file.read_bytes()) for file in EXAMPLES.glob("*")}
    assert await record(core) == written, "run: python -m tests.support.examples"


def test_the_examples_are_as_described(document: Any) -> None:
    contents = [*_contents(document)]
    assert len(contents) >= len([*EXAMPLES.glob("*.json")])
    for content in contents:
        schema = {**content["schema"], "components": document["components"]}
        jsonschema_rs.validate(schema, content["example"])


def _contents(document: Any) -> list[Any]:
    return [
        content
        for path in document["paths"].values()
        for operation in path.values()
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in part.get("content", {}).values()
        if "example" in content
    ]


# The page


async def test_the_page_needs_nothing_besides_itself(app: web.Application, document: Any) -> None:
    async with serving(app) as session, session.get("/api/v1/docs") as response:
        page, headers = await response.text(), response.headers
    assert response.status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.split(maxsplit=1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"].startswith("'sha256-")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert not re.findall(r"<(script|img|iframe|link|object|form)|\son\w+=|\bsrc=|url\(", page)
    assert all(link.startswith(("#", "/api/v1/")) for link in re.findall(r'href="([^"]*)"', page))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(re.findall(r'id="([^"]*)"', page))
    for path in document["paths"].values():
        for operation in path.values():
            assert f'id="{operation["operationId"]}"' in page
