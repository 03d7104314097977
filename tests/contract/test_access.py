"""Nobody in where they don't belong: every route and every method, one after the other.

What the tables below do not know fails: whoever adds a route has to say who may use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest
from grpc import StatusCode

from services.api.domain.principal import ADMIN, SCOPES
from services.api.grpc.admission import scopes_of
from tests.support.access import OTHERS, call, http_routes, is_addressed, open_world, rpcs
from tests.support.door import bearer, refused
from tests.support.jsonapi import MEDIA_TYPE, Answer, new_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from google.protobuf.descriptor import MethodDescriptor

    from tests.support.access import Things, World
    from tests.support.core import Core

ATOMIC = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"'
UNKNOWN = str(UUID(int=7))
T, K, R = "/api/v1/atmos-import-tasks", "/api/v1/tracks", "/api/v1/records"
S, D = "/api/v1/subscriptions", "/api/v1/deliveries"
OPERATIONS = "/api/v1/operations"


@dataclass(frozen=True)
class Rule:
    """Who may use a route: the holders of all these scopes; everybody if there are none.

    ``is_refused`` for what is answered with 403 to everybody.
    """

    scopes: tuple[str, ...] = ()
    is_refused: bool = False


READ, WRITE = Rule(("tasks:read",)), Rule(("tasks:write",))
TRACKS_READ, TRACKS_WRITE = Rule(("tracks:read",)), Rule(("tracks:write",))
LISTEN, TELL = Rule(("subscriptions:read",)), Rule(("subscriptions:write",))
RECORDS_READ, READ_ONLY = Rule(("records:read",)), Rule(is_refused=True)
PUBLIC = Rule()

HTTP = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /api/v1/docs": PUBLIC,
    "GET /api/v1/openapi.json": PUBLIC,
    # The link itself is the right to it.
    "GET /files/{id}": PUBLIC,
    "GET /api/v1/events": READ,
    # Each operation needs what it would need alone; the walk's creates a task.
    f"POST {OPERATIONS}": WRITE,
    f"GET {T}": READ,
    f"POST {T}": WRITE,
    f"GET {T}/{{id}}": READ,
    f"PATCH {T}/{{id}}": WRITE,
    f"DELETE {T}/{{id}}": WRITE,
    f"POST {T}/{{id}}/retry": WRITE,
    f"GET {T}/{{id}}/events": READ,
    f"GET {T}/{{id}}/validation-report": READ,
    f"GET {T}/{{id}}/track": Rule(("tasks:read", "tracks:read")),
    f"GET {T}/{{id}}/relationships/track": READ,
    f"PATCH {T}/{{id}}/relationships/track": WRITE,
    f"GET {T}/{{id}}/record": Rule(("tasks:read", "records:read")),
    f"GET {T}/{{id}}/relationships/record": READ,
    f"PATCH {T}/{{id}}/relationships/record": READ_ONLY,
    f"GET {K}": TRACKS_READ,
    f"POST {K}": TRACKS_WRITE,
    f"GET {K}/{{id}}": TRACKS_READ,
    f"PATCH {K}/{{id}}": TRACKS_WRITE,
    f"DELETE {K}/{{id}}": TRACKS_WRITE,
    f"GET {R}": RECORDS_READ,
    f"GET {R}/{{id}}": RECORDS_READ,
    f"GET {R}/{{id}}/validation-report": RECORDS_READ,
    f"POST {R}/{{id}}/download-links": RECORDS_READ,
    f"PATCH {R}/{{id}}": READ_ONLY,
    f"GET {R}/{{id}}/track": Rule(("records:read", "tracks:read")),
    f"GET {R}/{{id}}/relationships/track": RECORDS_READ,
    f"PATCH {R}/{{id}}/relationships/track": READ_ONLY,
    f"GET {R}/{{id}}/import-task": Rule(("records:read", "tasks:read")),
    f"GET {R}/{{id}}/relationships/import-task": RECORDS_READ,
    f"PATCH {R}/{{id}}/relationships/import-task": READ_ONLY,
    f"GET {S}": LISTEN,
    f"POST {S}": TELL,
    f"GET {S}/{{id}}": LISTEN,
    f"PATCH {S}/{{id}}": TELL,
    f"DELETE {S}/{{id}}": TELL,
    f"POST {S}/{{id}}/secrets": TELL,
    f"POST {S}/{{id}}/pings": TELL,
    f"GET {S}/{{id}}/deliveries": LISTEN,
    f"GET {D}/{{id}}": LISTEN,
    f"PATCH {D}/{{id}}": READ_ONLY,
    f"POST {D}/{{id}}/replays": TELL,
    f"GET {D}/{{id}}/subscription": LISTEN,
    f"GET {D}/{{id}}/relationships/subscription": LISTEN,
    f"PATCH {D}/{{id}}/relationships/subscription": READ_ONLY,
}

RPCS = {
    "ListImportTasks": "tasks:read",
    "GetImportTask": "tasks:read",
    "CreateImportTask": "tasks:write",
    "BatchCreateImportTasks": "tasks:write",
    "UpdateImportTask": "tasks:write",
    "DeleteImportTask": "tasks:write",
    "RetryImportTask": "tasks:write",
    "WatchImportTask": "tasks:read",
    "WatchImportTasks": "tasks:read",
    "ListTracks": "tracks:read",
    "GetTrack": "tracks:read",
    "CreateTrack": "tracks:write",
    "UpdateTrack": "tracks:write",
    "DeleteTrack": "tracks:write",
    "ListRecords": "records:read",
    "GetRecord": "records:read",
    "GenerateDownloadLink": "records:read",
    "ListAuditEntries": ADMIN,
    "GetSettings": ADMIN,
    "UpdateSettings": ADMIN,
    "ListSubscriptions": "subscriptions:read",
    "GetSubscription": "subscriptions:read",
    "CreateSubscription": "subscriptions:write",
    "UpdateSubscription": "subscriptions:write",
    "DeleteSubscription": "subscriptions:write",
    "RotateSubscriptionSecret": "subscriptions:write",
    "PingSubscription": "subscriptions:write",
    "ListDeliveries": "subscriptions:read",
    "GetDelivery": "subscriptions:read",
    "ReplayDelivery": "subscriptions:write",
    # Of a task, as the walk asks; that of a record needs records:read.
    "GetValidationReport": "tasks:read",
}


@pytest.fixture
async def world(core: Core, tmp_path: Path) -> AsyncIterator[World]:
    """Both doors, and something behind them."""
    async with open_world(core, tmp_path) as opened:
        yield opened


def _id(world: World, route: str) -> str:
    """What the tenant ``default`` has of a route's type."""
    owned = {T: world.ours.tasks, K: world.ours.tracks, R: world.ours.records}
    owned |= {S: world.ours.subscriptions, D: world.ours.deliveries}
    return next((id_ for path, id_ in owned.items() if f" {path}" in route), UNKNOWN)


def _document(route: str, things: Things, id_: str) -> Any:
    """A document that the route takes."""
    match route.partition(" ")[0], route.rpartition("/")[2]:
        case "POST", "operations":
            return {"atomic:operations": [{"op": "add", "data": new_task(things.tracks)["data"]}]}
        case "POST", ("tracks" | "subscriptions" | "download-links" | "secrets") as type_:
            needed = {
                "tracks": {"title": "x"},
                "subscriptions": {"target": "https://hooks.example.com/"},
            }
            return {"data": {"type": type_, "attributes": needed.get(type_, {})}}
        case "POST", "atmos-import-tasks":
            return new_task(things.tracks, secondaryIsrc="USRC12345679")
        case "PATCH", "{id}":
            return {"data": {"type": route.split("/")[3], "id": id_, "attributes": {}}}
        case "PATCH", _:
            return {"data": {"type": "tracks", "id": things.tracks}}
        case _:
            return None


async def _ask(world: World, route: str, authorization: str | None, id_: str = UNKNOWN) -> Answer:
    """Send what a route takes, about the resource with this id."""
    method, _, path = route.partition(" ")
    headers = {} if authorization is None else {"Authorization": authorization}
    document = _document(route, world.ours, id_)
    if document is not None:
        headers["Content-Type"] = ATOMIC if path == OPERATIONS else MEDIA_TYPE
    async with world.session.request(
        method,
        path.replace("{id}", id_),
        data=None if document is None else msgspec.json.encode(document),
        headers=headers,
    ) as response:
        is_endless = response.content_type == "text/event-stream" and response.status == 200
        body = b"" if is_endless else await response.read()
        return Answer(response.status, response.headers.copy(), body)


def test_the_walk_knows_every_route_and_every_method(world: World) -> None:
    routes = http_routes(world.app)
    heads = {f"GET {route.partition(' ')[2]}" for route in routes if route.startswith("HEAD ")}
    assert {route for route in routes if not route.startswith("HEAD ")} == HTTP.keys()
    assert heads <= HTTP.keys()
    assert rpcs().keys() == RPCS.keys()


def test_the_grpc_door_asks_for_what_the_use_cases_need() -> None:
    """It asks before it reads the request, they before they act: neither alone is enough."""
    asked = {
        name: scopes_of(f"/{method.containing_service.full_name}/{name}")
        for name, method in rpcs().items()
    }
    alone = {name: (scope,) for name, scope in RPCS.items()}
    assert asked == {**alone, "GetValidationReport": ("tasks:read", "records:read")}


def _walked(world: World) -> list[tuple[str, Rule]]:
    """Every route that is not for everybody, HEAD as GET."""
    routes = http_routes(world.app)
    heads = {f"HEAD{route.removeprefix('GET')}": rule for route, rule in HTTP.items()}
    rules = HTTP | {route: rule for route, rule in heads.items() if route in routes}
    return [(route, rule) for route, rule in sorted(rules.items()) if rule != PUBLIC]


async def test_nobody_gets_in_over_http(world: World) -> None:
    wrong = {}
    for why, sent in [("nothing sent", None), *(await world.nobodies()).items()]:
        for route, _ in _walked(world):
            answer = await _ask(world, route, sent, _id(world, route))
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status != 401 or not challenge.startswith("Bearer "):
                wrong[why, route] = answer.status, challenge
    assert not wrong


async def test_nobody_gets_in_over_grpc(world: World) -> None:
    nobodies = {why: (("authorization", sent),) for why, sent in (await world.nobodies()).items()}
    for why, who in [("nothing sent", None), *nobodies.items()]:
        for name, method in rpcs().items():
            answer = await refused(call(world.door, method, who, "x"))
            reached = (answer.code, answer.reason)
            assert reached == (StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"), (why, name)


async def _lacking(world: World, scope: str) -> list[str]:
    """A token and a JWT that have all scopes but this."""
    rest = SCOPES - {scope, ADMIN}
    return [await world.token(*rest), world.jwt(scope=" ".join(rest))]


async def test_every_scope_is_needed_over_http(world: World) -> None:
    wrong = {}
    for route, rule in _walked(world):
        for scope in rule.scopes:
            for token in await _lacking(world, scope):
                answer = await _ask(world, route, f"Bearer {token}", _id(world, route))
                is_told = route.startswith("HEAD ") or scope in answer.refusals[0][1]
                if answer.status != 403 or not is_told:
                    wrong[route, scope] = answer
    assert not wrong


async def test_every_scope_is_needed_over_grpc(world: World) -> None:
    for name, method in rpcs().items():
        for token in await _lacking(world, RPCS[name]):
            answer = await refused(call(world.door, method, bearer(token), _name(world, method)))
            reached = (answer.code, answer.reason, answer.metadata)
            expected = (StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", {"scope": RPCS[name]})
            assert reached == expected, name


async def test_the_scopes_are_enough_over_http(world: World) -> None:
    wrong = {}
    for route, rule in _walked(world):
        scopes = rule.scopes or (ADMIN,)
        for token in (await world.token(*scopes), world.jwt(scope=" ".join(scopes))):
            answer = await _ask(world, route, f"Bearer {token}")
            if (answer.status == 403) != rule.is_refused or answer.status in {401, 500}:
                wrong[route] = answer
    assert not wrong


async def test_the_scope_is_enough_over_grpc(world: World) -> None:
    for name, method in rpcs().items():
        if is_addressed(method):
            who = bearer(await world.token(RPCS[name]))
            answer = await refused(call(world.door, method, who, _name(world, method, UNKNOWN)))
            assert answer.code is StatusCode.NOT_FOUND, name


async def test_what_is_another_tenant_s_does_not_exist_over_http(world: World) -> None:
    wrong = {}
    for token in (await world.token(ADMIN, tenant=OTHERS), world.jwt(tenant=OTHERS)):
        for route, rule in _walked(world):
            if "{id}" in route and not rule.is_refused:
                theirs = await _ask(world, route, f"Bearer {token}", _id(world, route))
                nothing = await _ask(world, route, f"Bearer {token}", UNKNOWN)
                if theirs.status != 404 or theirs.body != nothing.body:
                    wrong[route] = theirs, nothing
    assert not wrong


async def test_what_is_another_tenant_s_does_not_exist_over_grpc(world: World) -> None:
    for token in (await world.token(ADMIN, tenant=OTHERS), world.jwt(tenant=OTHERS)):
        for name, method in rpcs().items():
            if is_addressed(method):
                who, theirs = bearer(token), _name(world, method)
                answer = await refused(call(world.door, method, who, theirs))
                reached = (answer.code, answer.reason, answer.message)
                message = f"There is no {theirs}."
                assert reached == (StatusCode.NOT_FOUND, "NOT_FOUND", message), name


async def test_after_the_walk_everything_is_as_before(world: World) -> None:
    """The strangers' requests above were refused before anything was done."""
    stranger = f"Bearer {await world.token(ADMIN, tenant=OTHERS)}"
    owner = f"Bearer {await world.token(ADMIN)}"
    routes = [f"GET {each}/{{id}}" for each in (T, K, R, S, D)]
    before = [(await _ask(world, route, owner, _id(world, route))).body for route in routes]
    for route, rule in _walked(world):
        if "{id}" in route and not rule.is_refused:
            await _ask(world, route, stranger, _id(world, route))
    assert [(await _ask(world, r, owner, _id(world, r))).body for r in routes] == before


def _name(world: World, method: MethodDescriptor, id_: str = "") -> str:
    """The name of what we have of a method's type, or of another id."""
    owned = {
        "ImportTaskService": ("importTasks", world.ours.tasks),
        "TrackService": ("tracks", world.ours.tracks),
        "RecordService": ("records", world.ours.records),
        "SubscriptionService": ("subscriptions", world.ours.subscriptions),
    }
    if method.containing_service.name == "ValidationReportService":
        return f"importTasks/{id_ or world.ours.tasks}/validationReport"
    if "Deliver" in method.name:
        return f"subscriptions/{world.ours.subscriptions}/deliveries/{id_ or world.ours.deliveries}"
    collection, own = owned.get(method.containing_service.name, ("", ""))
    return f"{collection}/{id_ or own}"
