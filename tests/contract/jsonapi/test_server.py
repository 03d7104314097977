"""Who gets in, whether the server is alive, and what it says when it is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from services.api.domain.errors import InvalidQuery, Unauthenticated, Unavailable
from services.api.domain.principal import SCOPES
from services.api.http.jsonapi.app import make_jsonapi_app
from services.api.http.jsonapi.operations import Operations, Served
from services.api.http.jsonapi.resource import Resource
from services.api.http.limits import KEEPALIVE_SECONDS
from services.api.http.server import make_app, serve
from tests.support.catalogue import NOUNS, one_of_each
from tests.support.core import a_principal
from tests.support.jsonapi import MEDIA_TYPE, Client, serving
from tests.support.uploading import expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.queries import Query
    from tests.support.core import Core

ID = "01924f3b-2222-7000-bbbb-000000000002"
ROUTES = [
    (method, path.format(id=ID))
    for methods, path in (
        ("GET POST", "/atmos-import-tasks"),
        ("GET PATCH DELETE", "/atmos-import-tasks/{id}"),
        ("POST", "/atmos-import-tasks/{id}/retry"),
        ("GET", "/atmos-import-tasks/{id}/track"),
        ("GET PATCH", "/atmos-import-tasks/{id}/relationships/track"),
        ("GET", "/atmos-import-tasks/{id}/record"),
        ("GET PATCH", "/atmos-import-tasks/{id}/relationships/record"),
        ("GET", "/atmos-import-tasks/{id}/validation-report"),
        ("GET", "/records/{id}/validation-report"),
        ("POST", "/records/{id}/download-links"),
        ("GET", "/records"),
        ("GET PATCH", "/records/{id}"),
        ("GET", "/records/{id}/track"),
        ("GET PATCH", "/records/{id}/relationships/track"),
        ("GET", "/records/{id}/import-task"),
        ("GET PATCH", "/records/{id}/relationships/import-task"),
        ("GET", "/atmos-import-tasks/{id}/events"),
        ("GET", "/events"),
        ("POST", "/operations"),
        ("GET POST", "/uploads"),
        ("GET PATCH DELETE", "/uploads/{id}"),
        ("GET POST", "/subscriptions"),
        ("GET PATCH DELETE", "/subscriptions/{id}"),
        ("POST", "/subscriptions/{id}/secrets"),
        ("POST", "/subscriptions/{id}/pings"),
        ("GET", "/subscriptions/{id}/deliveries"),
        ("GET PATCH", "/deliveries/{id}"),
        ("POST", "/deliveries/{id}/replays"),
        ("GET", "/deliveries/{id}/subscription"),
        ("GET PATCH", "/deliveries/{id}/relationships/subscription"),
        *(("GET POST", f"/{noun.type}") for noun in NOUNS),
        *(("GET PATCH DELETE", f"/{noun.type}/{{id}}") for noun in NOUNS),
        *(("GET", f"/{noun.type}/{{id}}/{name}") for noun in NOUNS for name in noun.references),
        *(
            ("GET PATCH", f"/{noun.type}/{{id}}/relationships/{name}")
            for noun in NOUNS
            for name in noun.references
        ),
    )
    for method in methods.split()
]
# Tried in contract/sourceaudio, test_idol_*.py, contract/upload_sessions and contract/http.
ELSEWHERE = ("/api/import/", "/api/v2/", "/v1/", "/incoming", "/datocms/")
PUBLIC = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", f"/files/{ID}")
OPEN = {("GET", path) for path in PUBLIC}
OPEN |= {("GET", f"/covers/{ID}{which}") for which in ("", "/thumbnail")}


# Tokens


async def test_the_list_of_routes_is_whole(core: Core) -> None:
    app = make_app(core.use_cases, public_url=None, ready=_ready)
    served = {
        (route.method, route.resource.canonical.replace("{id}", ID).removeprefix("/api/v1"))
        for route in app.router.routes()
        if route.resource
        and route.method != "HEAD"
        and not route.resource.canonical.startswith(ELSEWHERE)
    }
    assert served == {*ROUTES, *OPEN}


async def test_nobody_gets_in_without_a_good_token(client: Client, core: Core) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = await core.use_cases.tokens.issue("default", "old", SCOPES, past)
    for token in (None, "", "nonsense", expired, f"sd_{'0' * 16}_{'x' * 43}"):
        stranger = Client(client.session, token)
        for method, path in ROUTES:
            answer = await stranger.request(method, path)
            assert answer.status == 401, (token, method, path)
            error = ', error="invalid_token"' if token else ""
            assert answer.headers["WWW-Authenticate"] == f'Bearer realm="stagedoor"{error}'
            assert answer.document["errors"][0]["title"] == "Unauthorized"


async def test_how_a_token_is_written(client: Client) -> None:
    for header, status in (
        (f"bearer {client.token}", 200),
        (f"BEARER  {client.token}", 200),
        (f"Basic {client.token}", 401),
        (f"{client.token}", 401),
    ):
        answer = await client.request("GET", "/tracks", Authorization=header)
        assert answer.status == status, header
        assert "error" not in answer.headers.get("WWW-Authenticate", "")


async def test_parameters_without_a_meaning_are_refused_everywhere(
    client: Client, core: Core
) -> None:
    task = await core.complete(await core.task())
    assert task.target is not None
    subscription = await client.subscribe()
    sent = await client.request("POST", f"/subscriptions/{subscription}/pings")
    ids: dict[str, object] = {
        "atmos-import-tasks": task.id,
        "tracks": task.target.id,
        "records": task.record_id,
        "subscriptions": subscription,
        "uploads": (await expect(core)).id,
        "deliveries": sent.document["data"]["id"],
    }
    ids = {**await one_of_each(core, a_principal()), **ids}
    for method, route in ROUTES:
        path = route.replace(ID, str(ids.get(route.split("/")[1])))
        answer = await client.request(method, f"{path}?foo=1")
        assert answer.status == 400, (method, path)
        assert answer.refusals == [("foo", "Parameter foo is not allowed.")]
    assert (await client.get(f"/tracks/{task.target.id}")).status == 200


async def test_a_missing_scope(client: Client, core: Core) -> None:
    token = await core.use_cases.tokens.issue("default", "reader", ["tracks:read"])
    reader = Client(client.session, token)
    assert (await reader.get("/tracks")).status == 200
    answer = await reader.get("/records")
    assert answer.status == 403
    assert answer.refusals == [("", "The token lacks the scope records:read.")]


async def test_another_tenants_data_does_not_exist(client: Client, core: Core) -> None:
    task = await core.complete(await core.task())
    assert task.target is not None
    token = await core.use_cases.tokens.issue("other", "test", SCOPES)
    other = Client(client.session, token)
    for type_, id_ in (
        ("atmos-import-tasks", task.id),
        ("tracks", task.target.id),
        ("records", task.record_id),
        ("subscriptions", await client.subscribe()),
    ):
        assert (await client.get(f"/{type_}/{id_}")).status == 200
        assert (await other.get(f"/{type_}/{id_}")).status == 404
        assert (await other.get(f"/{type_}?filter[id]={id_}")).document["data"] == []
    assert (await other.create_task(str(task.target.id))).status == 404


# The server


async def _ready() -> bool:
    return True


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_health(core: Core, ready: bool, status: int) -> None:  # noqa: FBT001 - a table
    async def is_ready() -> bool:
        return ready

    app = make_app(core.use_cases, public_url=None, ready=is_ready)
    async with serving(app) as session:
        async with session.get("/healthz") as response:
            assert (response.status, await response.json()) == (200, {"status": "alive"})
            assert response.headers["Server"] == "stagedoor"
        async with session.get("/readyz") as response:
            assert response.status == status


async def test_idle_connections_are_not_kept_for_long(core: Core) -> None:
    app = make_app(core.use_cases, public_url=None, ready=_ready)
    runner, _ = await serve(app, "127.0.0.1", 0)
    server = runner.server
    await runner.cleanup()
    assert server is not None
    assert server().keepalive_timeout == KEEPALIVE_SECONDS


@pytest.mark.parametrize(
    ("public_url", "base"),
    [
        (None, "http://files.example:81/api/v1"),
        ("https://domain.com/", "https://domain.com/api/v1"),
        ("https://domain.com/stagedoor", "https://domain.com/stagedoor/api/v1"),
    ],
)
async def test_how_links_start(core: Core, public_url: str | None, base: str) -> None:
    app = make_app(core.use_cases, public_url=public_url, ready=_ready)
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(app) as session:
        answer = await Client(session, token).request("GET", "/tracks", Host="files.example:81")
    assert answer.document["links"]["first"].startswith(f"{base}/tracks?")


@pytest.mark.parametrize("host", ["[::1", "a b", "\xfc.example", "a/b", "user@a", "a:b"])
async def test_a_host_that_is_none(client: Client, host: str) -> None:
    document = {"data": {"type": "tracks", "attributes": {"title": "x"}}}
    answer = await client.request(
        "POST", "/tracks", msgspec.json.encode(document), Content_Type=MEDIA_TYPE, Host=host
    )
    assert (answer.status, answer.refusals) == (400, [("", "The Host header is invalid.")])
    assert (await client.get("/tracks")).document["data"] == []


# Trouble


class _FaultError(Exception):
    """Says what no client may read."""


async def _list(_: Principal, query: Query) -> Page[UUID]:
    raise Unavailable if query.number == 1 else InvalidQuery("skip", "Too far.")


async def _get(_: Principal, id_: UUID) -> UUID:
    raise _FaultError(f"secret of {id_}")


async def _authenticate(token: str | None) -> Principal:
    if token is None:
        raise Unauthenticated
    return a_principal()


@pytest.fixture
async def broken() -> AsyncIterator[Client]:
    """A client of a server whose operations fail."""
    notes: Resource[Any] = Resource(type="notes", id=attrgetter("id"), attributes=())
    served = Served(notes, Operations(list=_list, get=_get))
    app = web.Application()
    facade = make_jsonapi_app(served, prefix="/api/v1", public_url=None, authenticate=_authenticate)
    app.add_subapp("/api/v1", facade)
    async with serving(app) as session:
        yield Client(session, "token")


async def test_a_fault_of_ours_tells_nothing(
    broken: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await broken.get(f"/notes/{ID}")
    assert answer.status == 500
    assert answer.document["errors"] == [
        {
            "detail": "The server met an unexpected error.",
            "status": "500",
            "title": "Internal Server Error",
        }
    ]
    captured = capsys.readouterr()
    assert f"secret of {ID}" in captured.out + captured.err


async def test_passing_trouble(broken: Client) -> None:
    answer = await broken.get("/notes")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    answer = await broken.get("/notes?page[number]=2")
    assert (answer.status, answer.refusals) == (400, [("", "Too far.")])
