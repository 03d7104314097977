"""The description of the IDOL facade: valid, whole, and what is really answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from services.api.domain.principal import SCOPES
from services.api.http.facades import idol
from services.api.http.server import make_app
from tests.support.idol import TASKS, a_shelf, new_task
from tests.support.jsonapi import Client, serving
from tests.support.openapi import findings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from tests.support.core import Core

EXAMPLES = 4


async def _ready() -> bool:
    return True


@pytest.fixture
def app(core: Core) -> web.Application:
    """The application."""
    return make_app(core.use_cases, public_url=None, ready=_ready)


@pytest.fixture
async def client(core: Core, app: web.Application) -> AsyncIterator[Client]:
    """A client that may do everything."""
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(app) as session:
        yield Client(session, token)


async def description(client: Client) -> Any:
    """What everybody may read."""
    stranger = Client(client.session, None)
    assert (await stranger.request("GET", f"{idol.PREFIX}/docs")).status == 200
    answer = await stranger.request("GET", f"{idol.PREFIX}/openapi.json")
    return answer.document


async def test_it_is_valid_and_whole(client: Client, app: web.Application) -> None:
    document = await description(client)
    validate(document)
    served = {
        (route.method.lower(), route.resource.canonical.removeprefix(idol.PREFIX))
        for route in app.router.routes()
        if route.resource and route.method != "HEAD" and idol.PREFIX in route.resource.canonical
    }
    described = {(method, path) for path, each in document["paths"].items() for method in each}
    assert served - described == {("get", "/openapi.json"), ("get", "/docs")}
    listed = document["paths"]["/import-tasks"]["get"]["parameters"]
    names = {each["name"] for each in listed}
    assert names >= {"filter[product-id]", "filter[distributor-id]", "page[number]", "page[size]"}
    assert not names & {"include", "page[after]"}


async def test_answers_are_as_described(client: Client, core: Core) -> None:
    document, shelf = await description(client), await a_shelf(core)
    for type_, number in shelf.numbers.items():
        made = await client.send("POST", TASKS, new_task(type_, number, precision=16))
        at = f"{TASKS}/{made.document['data']['id']}"
        for path, name in (
            (at, "ImportTasksDocument"),
            (TASKS, "ImportTasksPage"),
            (f"{at}/attachable", "ImportTasksAttachableDocument"),
            (f"{at}/relationships/attachable", "ImportTasksAttachableLinkage"),
            (f"{TASKS}/99", "Errors"),
        ):
            schema = document["components"]["schemas"][name]
            schema = {**schema, "components": document["components"]}
            jsonschema_rs.validate(schema, (await client.get(path)).document)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_tool_finds_nothing(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    document = await description(client)
    base: Any = client.session._base_url  # noqa: SLF001 - where the server of this test is
    url = f"{base}".rstrip("/") + idol.PREFIX
    token = str(client.token)
    assert await asyncio.to_thread(findings, url, document, token, EXAMPLES) == []
    assert "Traceback" not in "".join(capsys.readouterr())
