"""Who gets in, as far as it is gRPC's own; the walk through every method is test_access.py's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from services.api.grpc.admission import SCOPES
from services.api.grpc.server import SERVICES
from stagedoor.v1 import import_task_service_pb2 as tasks
from stagedoor.v1.import_task_service_pb2 import GetImportTaskRequest, ListImportTasksRequest
from tests.support.door import bearer, refused

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door


async def test_there_is_one_token_and_one_place_for_it(door: Door) -> None:
    good = f"Bearer {door.token}"
    for who in (
        (("authorization", good), ("authorization", good)),
        (("token", good),),
        (("authorization", f"Bearer {door.token} {door.token}"),),
    ):
        call = door.tasks.ListImportTasks(ListImportTasksRequest(), metadata=who)
        assert (await refused(call)).code is StatusCode.UNAUTHENTICATED


async def test_the_scheme_s_case_does_not_matter(door: Door) -> None:
    who = (("authorization", f"bEARER {door.token}"),)
    page = await door.tasks.ListImportTasks(ListImportTasksRequest(), metadata=who)
    assert page.total_size == 0


def test_every_service_says_what_it_needs() -> None:
    assert SCOPES.keys() == set(SERVICES)


async def test_who_may_not_is_told_so_whatever_they_ask(door: Door) -> None:
    """Permission is checked before the request is (AIP-211)."""
    who = await door.holder("records:read")
    wrong: list[Any] = [
        door.tasks.ListImportTasks(ListImportTasksRequest(filter="x", page_size=-1), metadata=who),
        door.tasks.GetImportTask(GetImportTaskRequest(name="x"), metadata=who),
        door.tasks.CreateImportTask(tasks.CreateImportTaskRequest(), metadata=who),
        door.tasks.WatchImportTask(tasks.WatchImportTaskRequest(), metadata=who).read(),
        door.tasks.WatchImportTasks(tasks.WatchImportTasksRequest(cursor="x"), metadata=who).read(),
    ]
    junk: Any = door.channel.unary_unary("/stagedoor.v1.ImportTaskService/GetImportTask")
    for call in (*wrong, junk(b"\xff", metadata=who)):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")


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


@pytest.mark.parametrize("token", [None, "sd_0_0"])
async def test_reflection_needs_one(door: Door, token: str | None) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    who = None if token is None else bearer(token)
    call = door.reflection.ServerReflectionInfo(iter([request]), metadata=who)
    assert (await refused(call.read())).code is StatusCode.UNAUTHENTICATED
