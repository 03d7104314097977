"""AuditService over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stagedoor.v1.audit_service_pb2 import ListAuditEntriesRequest, ListAuditEntriesResponse
from stagedoor.v1.audit_service_pb2_grpc import AuditServiceStub
from stagedoor.v1.import_task_service_pb2 import (
    CreateImportTaskRequest,
    DeleteImportTaskRequest,
    ImportTask,
)
from stagedoor.v1.track_service_pb2 import CreateTrackRequest, Track

if TYPE_CHECKING:
    from tests.support.door import Door, Metadata

URL = "https://cdn.example.com/master.wav"


async def log(door: Door, who: Metadata | None = None, **page: Any) -> ListAuditEntriesResponse:
    stub = AuditServiceStub(door.channel)
    request = ListAuditEntriesRequest(**page)
    return await stub.ListAuditEntries(request, metadata=who or door.admin)


async def act(door: Door) -> tuple[str, str]:
    """Make a track and a task, and delete the task; gives both names."""
    wanted = CreateTrackRequest(track=Track(title="Song"))
    track = await door.tracks.CreateTrack(wanted, metadata=door.admin)
    create = CreateImportTaskRequest(import_task=ImportTask(source_uri=URL))
    task = await door.tasks.CreateImportTask(create, metadata=door.admin)
    delete = DeleteImportTaskRequest(name=task.name)
    await door.tasks.DeleteImportTask(delete, metadata=door.admin)
    return track.name, task.name


async def test_it_says_who_did_what_from_where(door: Door) -> None:
    track, task = await act(door)
    issued, *entries = (await log(door)).audit_entries
    assert (issued.principal, issued.action) == ("operator", "tokens.create")
    assert [(entry.action, entry.resource) for entry in entries] == [
        ("tracks.create", track),
        ("importTasks.create", task),
        ("importTasks.delete", task),
    ]
    assert {entry.principal for entry in entries} == {door.token.split("_")[1]}
    assert {entry.address for entry in entries} == {"127.0.0.1"}
    assert len({entry.name for entry in entries}) == 3
    assert all(entry.name.startswith("auditEntries/") for entry in entries)
    assert all(entry.HasField("create_time") for entry in entries)


async def test_it_has_pages_both_ways(door: Door) -> None:
    await act(door)
    oldest_first = [entry.name for entry in (await log(door)).audit_entries]
    for order_by, expected in (("", oldest_first), ("create_time desc", oldest_first[::-1])):
        seen, token = [], ""
        for _ in expected:
            page = await log(door, page_size=1, page_token=token, order_by=order_by)
            assert page.total_size == len(expected) == 4
            seen += [entry.name for entry in page.audit_entries]
            token = page.next_page_token
        assert (seen, token) == (expected, "")


async def test_a_tenant_sees_its_own_log(door: Door) -> None:
    await act(door)
    stranger = await door.holder("admin", tenant="other")
    theirs = await log(door, stranger)
    assert [entry.action for entry in theirs.audit_entries] == ["tokens.create"]
    assert theirs.total_size == 1
