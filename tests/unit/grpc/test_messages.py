"""Messages and events from the domain's data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.api.domain.lifecycle import Stage, Status
from services.api.domain.runs import error
from services.api.domain.task import DOLBY_ATMOS, Claim, Master, Progress, Target, Task
from services.api.grpc import messages
from stagedoor.events.v1.import_task_event_pb2 import ImportTaskEvent
from stagedoor.v1.import_task_service_pb2 import ImportTask
from stagedoor.v1.problem_pb2 import Problem

NOW = datetime(2026, 5, 27, 10, 0, 0, 123456, tzinfo=UTC)
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
TASK = Task(
    id=ID,
    tenant="default",
    master_type=DOLBY_ATMOS,
    source_uri="https://cdn.example.com/master.wav",
    isrc="USRC12345678",
    target=Target("tracks", ID),
    declared_md5=None,
    status=Status.PENDING,
    generation=2,
    version=7,
    created_at=NOW,
    updated_at=NOW + timedelta(seconds=1),
    due_at=NOW + timedelta(seconds=5),
)


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_state(status: Status) -> None:
    name = ImportTask.State.Name(messages.state(status))
    assert name == f"STATE_{status.upper()}"


def test_every_state_is_a_status() -> None:
    assert len(ImportTask.State.keys()) == len(Status) + 1  # STATE_UNSPECIFIED


def test_times_keep_their_microseconds() -> None:
    seen = messages.import_task(TASK)
    assert seen.create_time.ToDatetime(tzinfo=UTC) == NOW


def test_a_progress_of_unknown_length_has_no_total() -> None:
    progress = Progress(stage=Stage.DOWNLOAD, done_bytes=5, total_bytes=None)
    seen = messages.import_task(replace(TASK, progress=progress)).progress
    assert (seen.stage, seen.done_bytes, seen.HasField("total_bytes")) == ("download", 5, False)


def test_an_empty_master_has_a_size() -> None:
    master = Master(blob_key="k", size_bytes=0, md5="d41d8cd98f00b204e9800998ecf8427e")
    seen = messages.import_task(replace(TASK, master=master))
    assert seen.HasField("size_bytes")
    assert seen.size_bytes == 0


def test_the_next_attempt_is_told_only_while_one_is_waiting() -> None:
    waiting = replace(TASK, last_failure=error("timeout", "Too slow."))
    claim = Claim(run_id=ID, lease_until=NOW, deadline=NOW)
    assert messages.import_task(waiting).next_attempt_time.ToDatetime(tzinfo=UTC) == TASK.due_at
    for other in (TASK, replace(waiting, claim=claim), replace(waiting, published=1)):
        assert not messages.import_task(other).HasField("next_attempt_time")


def test_a_problem_keeps_every_field() -> None:
    finding = {
        "code": "c",
        "severity": "warning",
        "detail": "d",
        "location": "l",
        "spec": "s",
        "measured": "m",
        "allowed": "a",
    }
    [seen] = messages.import_task(replace(TASK, problems=(finding,))).problems
    assert seen == Problem(
        code="c",
        severity=Problem.SEVERITY_WARNING,
        detail="d",
        location="l",
        spec="s",
        measured="m",
        allowed="a",
    )


def test_an_event_carries_the_task_as_clients_see_it() -> None:
    event = ImportTaskEvent.FromString(messages.event_payload(TASK, deleted=False, now=NOW))
    assert event.import_task == messages.import_task(TASK)
    assert event.event_time.ToDatetime(tzinfo=UTC) == NOW
    assert not event.deleted


def test_the_event_of_a_deleted_task_says_only_which() -> None:
    event = ImportTaskEvent.FromString(messages.event_payload(TASK, deleted=True, now=NOW))
    assert event.deleted
    assert event.import_task == ImportTask(name=f"importTasks/{ID}", generation=2, version=7)


def test_an_event_is_the_same_bytes_again() -> None:
    once, twice = (messages.event_payload(TASK, deleted=False, now=NOW) for _ in range(2))
    assert once == twice
