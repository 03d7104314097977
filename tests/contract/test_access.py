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
from tests.support import idol
from tests.support.access import OTHERS, call, http_routes, is_addressed, open_world, rpcs
from tests.support.catalogue import BY_TYPE, NOUNS
from tests.support.door import bearer, refused
from tests.support.jsonapi import MEDIA_TYPE, Answer, new_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from google.protobuf.descriptor import MethodDescriptor

    from tests.support.access import Things, World
    from tests.support.catalogue import Noun
    from tests.support.core import Core

ATOMIC = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"'
UNKNOWN = str(UUID(int=7))
T, K, R = "/api/v1/atmos-import-tasks", "/api/v1/tracks", "/api/v1/records"
S, D = "/api/v1/subscriptions", "/api/v1/deliveries"
U = "/api/v1/uploads"
OPERATIONS = "/api/v1/operations"
T2 = "/api/v2/import-tasks"


@dataclass(frozen=True)
class Rule:
    """Who may use a route: the holders of all these scopes; everybody if there are none.

    ``is_refused`` for what is answered with 403 to everybody.
    """

    scopes: tuple[str, ...] = ()
    is_refused: bool = False
    is_plain: bool = False
    """Of a dialect that is no JSON:API; its own tests walk it."""


READ, WRITE = Rule(("tasks:read",)), Rule(("tasks:write",))
LISTEN, TELL = Rule(("subscriptions:read",)), Rule(("subscriptions:write",))
UPLOADS_READ, UPLOADS_WRITE = Rule(("uploads:read",)), Rule(("uploads:write",))
RECORDS_READ, READ_ONLY = Rule(("records:read",)), Rule(is_refused=True)
PUBLIC = Rule()


def _catalogue_routes(noun: Noun) -> dict[str, Rule]:
    """Every route of a noun of the catalogue."""
    every, one = f"/api/v1/{noun.type}", f"/api/v1/{noun.type}/{{id}}"
    reading, writing = Rule((f"{noun.scope}:read",)), Rule((f"{noun.scope}:write",))
    rules = {f"GET {every}": reading, f"POST {every}": writing, f"GET {one}": reading}
    rules |= {f"PATCH {one}": writing, f"DELETE {one}": writing}
    for name, to in noun.references.items():
        both = {f"{noun.scope}:read", f"{BY_TYPE[to].scope}:read"}
        rules[f"GET {one}/{name}"] = Rule(tuple(sorted(both)))
        rules[f"GET {one}/relationships/{name}"] = reading
        rules[f"PATCH {one}/relationships/{name}"] = writing
    return rules


HTTP = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /api/v1/docs": PUBLIC,
    "GET /api/v1/openapi.json": PUBLIC,
    # The link itself is the right to it.
    "GET /files/{id}": PUBLIC,
    "GET /covers/{id}": PUBLIC,
    "GET /covers/{id}/thumbnail": PUBLIC,
    "OPTIONS /incoming": PUBLIC,
    "POST /incoming": UPLOADS_WRITE,
    "OPTIONS /incoming/{id}": PUBLIC,
    "PATCH /incoming/{id}": PUBLIC,
    "DELETE /incoming/{id}": PUBLIC,
    "PUT /incoming/{id}": PUBLIC,
    "POST /incoming/{id}": PUBLIC,
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
    f"GET {U}": UPLOADS_READ,
    f"POST {U}": UPLOADS_WRITE,
    f"GET {U}/{{id}}": UPLOADS_READ,
    f"PATCH {U}/{{id}}": READ_ONLY,
    f"DELETE {U}/{{id}}": UPLOADS_WRITE,
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
for _noun in NOUNS:
    HTTP |= _catalogue_routes(_noun)
for _action in ("createJob", "upload", "setFormats", "publish", "checkJob", "list", "download"):
    HTTP |= {f"{method} /api/import/{_action}": Rule(is_plain=True) for method in ("GET", "POST")}
for _route in (
    *("POST upload-requests", "GET uploads", "POST uploads", "GET uploads/{id}"),
    *("DELETE uploads/{id}", "GET uploads/{id}/tracks", "POST uploads/{id}/tracks"),
    *(f"{method} uploads/{{id}}/tracks/{{track}}" for method in ("GET", "PUT", "DELETE")),
    "GET job-results/{id}",
):
    HTTP[_route.replace(" ", " /datocms/")] = Rule(is_plain=True)
HTTP |= {"GET /datocms/docs": PUBLIC, "GET /datocms/openapi.json": PUBLIC}
HTTP |= {"GET /api/import/docs": PUBLIC, "GET /api/import/openapi.json": PUBLIC}
HTTP |= {
    "GET /v1/docs": PUBLIC,
    "GET /v1/openapi.json": PUBLIC,
    "POST /v1/upload_session": Rule(is_plain=True),
    "GET /v1/upload_session/{upload_session_id}": Rule(is_plain=True),
    "POST /v1/upload/{upload_session_id}/track": Rule(is_plain=True),
}
HTTP |= {
    "GET /api/v2/docs": PUBLIC,
    "GET /api/v2/openapi.json": PUBLIC,
    f"GET {T2}": READ,
    f"POST {T2}": WRITE,
    f"GET {T2}/{{id}}": READ,
    f"PATCH {T2}/{{id}}": READ_ONLY,
    f"GET {T2}/{{id}}/attachable": Rule(("tasks:read", "tracks:read")),
    f"GET {T2}/{{id}}/relationships/attachable": READ,
    f"PATCH {T2}/{{id}}/relationships/attachable": READ_ONLY,
}
for _type in ("tracks", "products", "videos", "asset-attachments"):
    HTTP[f"GET /api/v2/{_type}/{{id}}"] = Rule((f"{BY_TYPE[_type].scope}:read",))
    HTTP[f"PATCH /api/v2/{_type}/{{id}}"] = READ_ONLY

NEEDED: dict[str, dict[str, str]] = {
    "subscriptions": {"target": "https://hooks.example.com/"},
    "download-links": {},
    "uploads": {},
    "secrets": {},
    **{noun.type: {noun.title[1]: "x"} for noun in NOUNS},
}
"""What a new one of a type needs."""

_WRITING = ("Create", "Update", "Delete")
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
    "ListRecords": "records:read",
    "GetRecord": "records:read",
    "GenerateDownloadLink": "records:read",
    "ListPublishJobs": "publishing:read",
    "GetPublishJob": "publishing:read",
    "EnsureDefaultPublishJob": "publishing:write",
    "CreatePublishJob": "publishing:write",
    "UpdatePublishJob": "publishing:write",
    "DeletePublishJob": "publishing:write",
    "RunPublishJob": "publishing:write",
    "ListPublications": "publishing:read",
    "GetPublication": "publishing:read",
    "CreatePublication": "publishing:write",
    "ImportPublication": "publishing:write",
    "UpdatePublication": "publishing:write",
    "DeletePublication": "publishing:write",
    "GenerateRenditionLink": "publishing:read",
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
    "ListUploads": "uploads:read",
    "GetUpload": "uploads:read",
    "CreateUpload": "uploads:write",
    "KeepUpload": "uploads:write",
    "DeleteUpload": "uploads:write",
    "ListUploadSessions": "uploads:read",
    "GetUploadSession": "uploads:read",
    "CreateUploadSession": "uploads:write",
    "DeleteUploadSession": "uploads:write",
    # And tracks:write and tasks:write, as soon as the session is there.
    "AddTrack": "uploads:write",
    "ListUploadTracks": "uploads:read",
    "GetUploadTrack": "uploads:read",
    "CreateUploadTrack": "uploads:write",
    "UpdateUploadTrack": "uploads:write",
    "DeleteUploadTrack": "uploads:write",
    "ListJobs": "uploads:read",
    "GetJob": "uploads:read",
    # Of a task, as the walk asks; that of a record needs records:read.
    "GetValidationReport": "tasks:read",
}
for _noun in NOUNS:
    RPCS |= {f"List{_noun.name}s": f"{_noun.scope}:read", f"Get{_noun.name}": f"{_noun.scope}:read"}
    RPCS |= {f"{verb}{_noun.name}": f"{_noun.scope}:write" for verb in _WRITING}


@pytest.fixture
async def world(core: Core, tmp_path: Path) -> AsyncIterator[World]:
    """Both doors, and something behind them."""
    async with open_world(core, tmp_path) as opened:
        yield opened


def _id(world: World, route: str) -> str:
    """What the tenant ``default`` has of a route's type."""
    owned = {T: world.ours.tasks, K: world.ours.tracks, R: world.ours.records}
    owned |= {S: world.ours.subscriptions, D: world.ours.deliveries, U: world.ours.uploads}
    owned |= {f"/api/v1/{type_}": id_ for type_, id_ in world.ours.catalogue.items()}
    # Where ids are numbers, UUIDs lead to the same.
    owned |= {path.replace("v1", "v2").replace("atmos-", ""): id_ for path, id_ in owned.items()}
    return next((id_ for path, id_ in owned.items() if f" {path}" in route), UNKNOWN)


def _document(route: str, things: Things, id_: str) -> Any:
    """A document that the route takes."""
    match route.partition(" ")[0], route.rpartition("/")[2]:
        case "POST", "operations":
            return {"atomic:operations": [{"op": "add", "data": new_task(things.tracks)["data"]}]}
        case "POST", type_ if type_ in NEEDED:
            return {"data": {"type": type_, "attributes": NEEDED[type_]}}
        case "POST", type_ if type_.endswith("import-tasks"):
            atmos = new_task(things.tracks, secondaryIsrc="USRC12345679")
            return atmos if "atmos" in type_ else idol.new_task("tracks", things.tracks)
        case "PATCH", "{id}":
            return {"data": {"type": route.split("/")[3], "id": id_, "attributes": {}}}
        case "PATCH", name:
            ids = {"tracks": things.tracks, **things.catalogue}
            return {"data": {"type": f"{name}s", "id": ids.get(f"{name}s", UNKNOWN)}}
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
    assert heads - {"GET /incoming/{id}"} <= HTTP.keys()  # nothing of it is read again
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
    return [
        (route, rule)
        for route, rule in sorted(rules.items())
        if rule != PUBLIC and not rule.is_plain
    ]


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


@pytest.mark.long
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


@pytest.mark.long
async def test_every_scope_is_needed_over_grpc(world: World) -> None:
    for name, method in rpcs().items():
        for token in await _lacking(world, RPCS[name]):
            answer = await refused(call(world.door, method, bearer(token), _name(world, method)))
            reached = (answer.code, answer.reason, answer.metadata)
            expected = (StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", {"scope": RPCS[name]})
            assert reached == expected, name


@pytest.mark.long
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
                # Some say again what they were asked for.
                said = theirs.body.replace(_id(world, route).encode(), UNKNOWN.encode())
                if theirs.status != 404 or said != nothing.body:
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
    types = (T, K, R, S, D, U, *(f"/api/v1/{type_}" for type_ in world.ours.catalogue))
    routes = [f"GET {each}/{{id}}" for each in types]
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
        "UploadService": ("uploads", world.ours.uploads),
        "UploadSessionService": ("uploadSessions", world.ours.sessions),
        "UploadTrackService": ("uploadTracks", world.ours.upload_tracks),
        "JobService": ("jobs", world.ours.write_jobs),
        "PublishJobService": ("publishJobs", world.ours.jobs),
        "PublicationService": ("publications", world.ours.publications),
    }
    for type_, one in world.ours.catalogue.items():
        owned[f"{BY_TYPE[type_].name}Service"] = (BY_TYPE[type_].collection, one)
    if method.containing_service.name == "ValidationReportService":
        return f"importTasks/{id_ or world.ours.tasks}/validationReport"
    if method.name == "GenerateRenditionLink":
        return f"renditions/{id_ or world.ours.renditions}"
    if "Deliver" in method.name:
        return f"subscriptions/{world.ours.subscriptions}/deliveries/{id_ or world.ours.deliveries}"
    collection, own = owned.get(method.containing_service.name, ("", ""))
    return f"{collection}/{id_ or own}"
