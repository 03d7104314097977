"""Errors: one table, and nothing of a fault leaves the process but in the log."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc import StatusCode
from sqlalchemy import text
from structlog.testing import capture_logs

from services.api.domain import errors
from services.api.domain.reasons import ANSWERS, answer
from services.api.grpc.codes import INTERNAL, METHOD_UNKNOWN
from services.api.grpc.statuses import internal_status, status_of
from services.api.grpc.unknown import LONGEST_NAME
from services.api.http.facades import atmos
from services.api.http.jsonapi.errors import JsonApiError, from_refusal, in_names_of
from stagedoor.v1 import error_reason_pb2
from stagedoor.v1 import import_task_service_pb2 as pb
from stagedoor.v1.track_service_pb2 import CreateTrackRequest, ListTracksRequest, Track
from tests.support.door import open_door, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.rpc.status_pb2 import Status

    from tests.support.core import Core
    from tests.support.door import Door

URL = "https://cdn.example.com/master.wav"


REFUSALS = (
    errors.InvalidFields(errors.Violation("isrc", "invalid", "x")),
    errors.InvalidFields(errors.Violation("isrc", "taken", "x")),
    errors.InvalidQuery("filter", "x"),
    errors.NotFound("tracks", 1),
    errors.RelatedNotFound("target", "tracks", 1),
    errors.StateConflict("Not now.", "pending"),
    errors.InUse(),
    errors.TooManySubscriptions(),
    errors.QuotaExceeded(),
    errors.EtagMismatch(),
    errors.KeyReused(),
    errors.RateLimited(timedelta(seconds=1.5)),
    errors.Unauthenticated(),
    errors.ScopeMissing("admin"),
    errors.Unavailable(),
    errors.WrongTables(),
)


def all_of(refusal: type[errors.Refusal]) -> Iterator[type[errors.Refusal]]:
    for each in refusal.__subclasses__():
        if each.__module__ == errors.__name__:  # others answer the operator's commands
            yield each
            yield from all_of(each)


def details(status: Status, *types: Any) -> list[Any]:
    """The details of these types, unpacked."""
    found = []
    for detail in status.details:
        for type_ in types:
            message = type_()
            if detail.Unpack(message):
                found.append(message)
    return found


def http_status(refusal: errors.Refusal) -> int:
    """What the other door answers."""
    try:
        with in_names_of(atmos.TASKS):
            raise refusal
    except JsonApiError as error:
        return error.status
    except errors.Refusal as same:
        return from_refusal(same).status


def test_the_table_has_each_refusal_of_the_domain() -> None:
    assert ANSWERS.keys() == {*all_of(errors.Refusal)} - {errors.OperationRefused}
    assert ANSWERS.keys() == {type(refusal) for refusal in REFUSALS}


def test_each_refusal_has_its_reason_in_the_contract() -> None:
    prefix = "ERROR_REASON_"
    named = {name.removeprefix(prefix) for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - the enum is no dict
    ours = {refusal.reason for refusal in REFUSALS} | {INTERNAL, METHOD_UNKNOWN}
    assert ours == named - {"UNSPECIFIED"}


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: each.reason)
def test_both_doors_read_the_table(refusal: errors.Refusal) -> None:
    expected = answer(refusal)
    assert status_of(refusal).code == StatusCode[expected.grpc].value[0]
    assert http_status(refusal) == expected.http


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: each.reason)
def test_an_error_says_what_it_is_once(refusal: errors.Refusal) -> None:
    for status, reason in ((status_of(refusal), refusal.reason), (internal_status(), INTERNAL)):
        [info] = details(status, ErrorInfo)
        assert (info.reason, info.domain) == (reason, "stagedoor.dev")
        assert status.message


def test_what_the_message_names_is_there_for_programs_too() -> None:
    named = {
        refusal.reason: dict(details(status_of(refusal), ErrorInfo)[0].metadata)
        for refusal in REFUSALS
    }
    assert {reason: found for reason, found in named.items() if found} == {
        "NOT_FOUND": {"resource": "tracks/1"},
        "RELATED_NOT_FOUND": {"resource": "tracks/1"},
        "SCOPE_MISSING": {"scope": "admin"},
        "STATE_CONFLICT": {"status": "pending"},
    }


def test_whoever_should_come_again_learns_when() -> None:
    delays = {
        refusal.reason: found[0].retry_delay.ToTimedelta().total_seconds()
        for refusal in REFUSALS
        if (found := details(status_of(refusal), RetryInfo))
    }
    assert delays == {"RATE_LIMITED": 1.5, "UNAVAILABLE": 1.0}


def test_a_refused_operation_is_answered_as_its_cause() -> None:
    for refusal in REFUSALS:
        status = status_of(
            errors.OperationRefused(3, refusal), pb.BatchCreateImportTasksRequest.DESCRIPTOR
        )
        assert status.code == status_of(refusal).code
        [info] = details(status, ErrorInfo)
        assert (info.reason, info.metadata["index"]) == (refusal.reason, "3")


async def spoil(core: Core, statement: str) -> None:
    """Put something into the database that no code of ours would."""
    async with core.engines.write.connect() as connection:
        await connection.execute(text(statement))
        await connection.commit()


async def test_a_fault_is_internal_and_says_nothing(door: Door, core: Core) -> None:
    task = await core.task()
    await spoil(core, """UPDATE import_tasks SET problems = '[{"severity": "secret"}]'""")
    request = pb.GetImportTaskRequest(name=f"importTasks/{task.id}")
    with capture_logs() as logs:
        answer = await refused(door.tasks.GetImportTask(request, metadata=door.admin))
    assert (answer.code, answer.reason) == (StatusCode.INTERNAL, "INTERNAL")
    assert answer.message == "The service failed."
    assert [(entry["event"], entry["method"]) for entry in logs] == [
        ("rpc_failed", "/stagedoor.v1.ImportTaskService/GetImportTask")
    ]
    assert logs[0]["exc_info"]


async def test_a_fault_of_a_stream_is_internal(door: Door, core: Core) -> None:
    task = await core.task()
    await spoil(core, """UPDATE import_tasks SET problems = '[{"severity": "secret"}]'""")
    request = pb.WatchImportTaskRequest(name=f"importTasks/{task.id}")
    with capture_logs() as logs:
        answer = await refused(door.tasks.WatchImportTask(request, metadata=door.admin).read())
    assert (answer.code, answer.message) == (StatusCode.INTERNAL, "The service failed.")
    assert len(logs) == 1


async def test_a_fault_of_the_auth_is_internal(door: Door, core: Core) -> None:
    await spoil(core, "UPDATE tokens SET scopes = '7'")
    with capture_logs() as logs:
        request = pb.ListImportTasksRequest()
        answer = await refused(door.tasks.ListImportTasks(request, metadata=door.admin))
    assert (answer.code, answer.message) == (StatusCode.INTERNAL, "The service failed.")
    assert len(logs) == 1


@pytest.mark.parametrize("method", ["GetImportTask", "WatchImportTask"])
async def test_bytes_that_are_no_request_are_the_client_s_fault(door: Door, method: str) -> None:
    path = f"/stagedoor.v1.ImportTaskService/{method}"
    for junk in (b"\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"):
        if method.startswith("Watch"):
            stream: Any = door.channel.unary_stream(path)
            answer = await refused(stream(junk, metadata=door.admin).read())
        else:
            single: Any = door.channel.unary_unary(path)
            answer = await refused(single(junk, metadata=door.admin))
        assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert answer.message == "The request cannot be decoded."


async def test_a_call_that_takes_too_long_ends(core: Core) -> None:
    """Another connection holds the write lock for longer than a call may take."""
    async with open_door(core, max_seconds=0.3) as door, core.engines.write.connect() as lock:
        await lock.execute(text("UPDATE tokens SET name = name"))
        request = CreateTrackRequest(track=Track(title="Song"))
        answer = await refused(door.tracks.CreateTrack(request, metadata=door.admin))
        await lock.rollback()
    assert (answer.code, answer.reason) == (StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert answer.message == "The service took too long. Try again."
    assert answer.retry_seconds == 1


async def test_a_create_whose_client_gave_up_is_whole_or_not_at_all(door: Door) -> None:
    answered = set()
    for n in range(20):
        request = CreateTrackRequest(track=Track(title=f"Song {n}"))
        call = door.tracks.CreateTrack(request, metadata=door.admin, timeout=n / 2000)
        await asyncio.wait([asyncio.ensure_future(call)])
        if await call.code() is StatusCode.OK:
            answered.add(request.track.title)
    last = CreateTrackRequest(track=Track(title="Last"))
    await door.tracks.CreateTrack(last, metadata=door.admin)
    page = await door.tracks.ListTracks(ListTracksRequest(page_size=100), metadata=door.admin)
    titles = [track.title for track in page.tracks]
    assert answered | {"Last"} <= set(titles)
    assert len(titles) == len(set(titles)) == page.total_size


@pytest.mark.parametrize("method", ["ImportTaskService/Nope", "NopeService/GetNope"])
@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary"])
async def test_a_method_that_does_not_exist_is_unimplemented(
    door: Door, method: str, kind: str
) -> None:
    path = f"/stagedoor.v1.{method}"
    call: Any = getattr(door.channel, kind)(path)
    sent = b"" if kind.startswith("unary") else iter([b""])
    reply = call(sent)
    told = await refused(anext(aiter(reply)) if kind.endswith("stream") else reply)
    assert (told.code, told.reason) == (StatusCode.UNIMPLEMENTED, METHOD_UNKNOWN)
    assert path in told.message
    assert told.metadata == {"method": path}


async def test_of_a_long_made_up_name_not_all_is_said(door: Door) -> None:
    path = f"/stagedoor.v1.{'x' * 4000}/Get"
    call: Any = door.channel.unary_unary(path)
    told = await refused(call(b""))
    assert told.reason == METHOD_UNKNOWN
    assert told.metadata["method"] == path[:LONGEST_NAME]
    assert len(told.message) < LONGEST_NAME + 50
