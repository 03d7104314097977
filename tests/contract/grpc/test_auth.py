"""Who gets in, to every method that there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from services.api.grpc.server import SERVICES
from stagedoor.v1.import_task_service_pb2 import GetImportTaskRequest, ListImportTasksRequest
from tests.support.core import a_principal
from tests.support.door import bearer, refused

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.core import Core
    from tests.support.door import Door, Metadata

SCOPES = {
    "ListImportTasks": "tasks:read",
    "GetImportTask": "tasks:read",
    "WatchImportTask": "tasks:read",
    "WatchImportTasks": "tasks:read",
    "CreateImportTask": "tasks:write",
    "BatchCreateImportTasks": "tasks:write",
    "UpdateImportTask": "tasks:write",
    "DeleteImportTask": "tasks:write",
    "RetryImportTask": "tasks:write",
    "ListTracks": "tracks:read",
    "GetTrack": "tracks:read",
    "CreateTrack": "tracks:write",
    "UpdateTrack": "tracks:write",
    "DeleteTrack": "tracks:write",
    "ListRecords": "records:read",
    "GetRecord": "records:read",
    "ListAuditEntries": "admin",
}
METHODS = [
    (service, method.name)
    for service in SERVICES
    for method in descriptor_pool.Default().FindServiceByName(service).methods
]


def call(
    door: Door, service: str, method: str, who: Metadata | None, id_: object
) -> Awaitable[Any]:
    """Call a method about the resource with this id."""
    found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    request: Any = message_factory.GetMessageClass(found.input_type)()
    collection = service.removeprefix("stagedoor.v1.").removesuffix("Service")
    name = f"{collection[0].lower()}{collection[1:]}s/{id_}"
    if "name" in found.input_type.fields_by_name:
        request.name = name
    elif method.startswith("Update"):
        getattr(request, found.input_type.fields[0].name).name = name
    elif method.startswith("Batch"):
        request.requests.add()
    types = {
        "request_serializer": type(request).SerializeToString,
        "response_deserializer": message_factory.GetMessageClass(found.output_type).FromString,
    }
    path = f"/{service}/{method}"
    if method.startswith("Watch"):
        return door.channel.unary_stream(path, **types)(request, metadata=who).read()
    return door.channel.unary_unary(path, **types)(request, metadata=who)


async def nobodies(door: Door) -> dict[str, Metadata | None]:
    """Those who are not let in."""
    tokens = door.core.use_cases.tokens
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = await tokens.issue("default", "old", ["admin"], past)
    revoked = await tokens.issue("default", "bad", ["admin"])
    await tokens.revoke(revoked.split("_")[1])
    good = f"Bearer {door.token}"
    return {
        "no token": None,
        "empty": bearer(""),
        "junk": bearer("sd_0_0"),
        "changed": bearer(door.token[:-1] + ("A" if door.token[-1] != "A" else "B")),
        "expired": bearer(expired),
        "revoked": bearer(revoked),
        "other scheme": (("authorization", f"Basic {door.token}"),),
        "no scheme": (("authorization", door.token),),
        "twice": (("authorization", good), ("authorization", good)),
        "other header": (("token", good),),
    }


def test_the_walk_knows_every_method() -> None:
    assert {method for _, method in METHODS} == SCOPES.keys()


@pytest.mark.parametrize(("service", "method"), METHODS)
async def test_nobody_gets_in_without_a_good_token(door: Door, service: str, method: str) -> None:
    for why, who in (await nobodies(door)).items():
        answer = await refused(call(door, service, method, who, "x"))
        assert (answer.code, answer.reason) == (
            StatusCode.UNAUTHENTICATED,
            "UNAUTHENTICATED",
        ), why


@pytest.mark.parametrize(("service", "method"), METHODS)
async def test_a_token_needs_the_scope(door: Door, service: str, method: str) -> None:
    needed = SCOPES[method]
    who = await door.holder(*(set(SCOPES.values()) - {needed, "admin"}))
    id_ = "01890a5d-ac96-774b-bcce-b302099a8057"
    answer = await refused(call(door, service, method, who, id_))
    assert (answer.code, answer.reason) == (StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
    assert answer.metadata == {"scope": needed}


@pytest.mark.parametrize(
    ("service", "method"),
    [
        m
        for m in METHODS
        if m[1].startswith(("Get", "Update", "Delete", "Retry")) or m[1] == "WatchImportTask"
    ],
)
async def test_what_is_another_tenant_s_does_not_exist(
    door: Door, core: Core, service: str, method: str
) -> None:
    stranger = await door.holder("admin", tenant="other")
    task = await core.complete(await core.task(who=a_principal()))
    assert task.target is not None
    ids = {"ImportTask": task.id, "Track": task.target.id, "Record": task.record_id}
    id_ = ids[service.removeprefix("stagedoor.v1.").removesuffix("Service")]
    answer = await refused(call(door, service, method, stranger, id_))
    assert (answer.code, answer.reason) == (StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_the_scheme_s_case_does_not_matter(door: Door) -> None:
    who = (("authorization", f"bEARER {door.token}"),)
    page = await door.tasks.ListImportTasks(ListImportTasksRequest(), metadata=who)
    assert page.total_size == 0


async def test_calls_at_the_same_time_keep_their_callers_apart(door: Door, core: Core) -> None:
    task = await core.task()
    stranger = await door.holder("admin", tenant="other")
    request = GetImportTaskRequest(name=f"importTasks/{task.id}")
    for _ in range(20):
        mine = door.tasks.GetImportTask(request, metadata=door.admin)
        theirs = door.tasks.GetImportTask(request, metadata=stranger)
        assert (await refused(theirs)).reason == "NOT_FOUND"
        assert (await mine).name == request.name


async def test_health_needs_no_token(door: Door) -> None:
    answer = await door.health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_needs_one(door: Door) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = await refused(door.reflection.ServerReflectionInfo(iter([request])).read())
    assert answer.code is StatusCode.UNAUTHENTICATED
