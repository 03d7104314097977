"""The checker sees what it is for: each invariant is broken on purpose, and its number is named."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, text, update
from uuid_utils.compat import uuid7

from services.api.db.tables import dead_letters, doomed_blobs, import_tasks, outbox, records
from shared.bus import subjects
from shared.bus.bus import Bus
from shared.bus.envelope import Envelope
from shared.bus.roles import Role
from shared.stage import wire
from shared.stage.messages import Command
from stagedoor.events.v1.import_task_event_pb2 import ImportTaskEvent
from stagedoor.v1.import_task_service_pb2 import ImportTask
from tests.support.faults import Told, first_with_a_child, large, rows, small
from tests.support.faults.evidence import gather
from tests.support.faults.invariants import INVARIANTS, Allowed, Case

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Executable

    from tests.support.faults import System
    from tests.support.faults.rows import Row

NO_TIME = 0.1
HOUR = 3600


@pytest.fixture
async def task(laptop: System) -> AsyncIterator[Row]:
    """The row of a completed task; whatever was done to it is undone."""
    async with laptop.client() as client:
        id_ = await client.bring(f"/{uuid4()}.mp4", small())
        await client.all_completed(id_)
        row = next(
            r for r in (await rows.read(laptop.database_url))["import_tasks"] if r["id"] == id_
        )
        yield row
        columns = {name: value for name, value in row.items() if name != "id"}
        await rows.execute(
            laptop.database_url,
            update(import_tasks).where(import_tasks.c.id == id_).values(columns),
        )


@asynccontextmanager
async def mended(system: System, *statements: Executable) -> AsyncIterator[None]:
    """Mend the database at the end."""
    try:
        yield
    finally:
        await rows.execute(system.database_url, *statements)


async def found(system: System, number: str, words: str, **allowed: float) -> bool:
    """Whether the checker complains of this invariant in these words."""
    name = f"{number} {INVARIANTS[number].__name__}: "
    all_found = await system.violations(settle_seconds=NO_TIME, **allowed)
    return any(each.startswith(name) and words in each for each in all_found)


async def change(system: System, task: Row, **values: object) -> None:
    """Change a task's row behind everybody's back."""
    statement = update(import_tasks).where(import_tasks.c.id == task["id"]).values(**values)
    await rows.execute(system.database_url, statement)


async def publish(system: System, *messages: tuple[str, bytes]) -> None:
    """Say something on the bus in the name of the API."""
    bus = await Bus.connect(system.nats_url(), Role.API)
    for subject, payload in messages:
        await bus.publish(subject, payload, Envelope(type="test"))
    await bus.close()


def event(id_: UUID, version: int, state: ImportTask.State.ValueType) -> tuple[str, bytes]:
    """An event as the API would send it."""
    told = ImportTask(name=f"importTasks/{id_}", version=version, generation=1, state=state)
    payload = ImportTaskEvent(import_task=told).SerializeToString()
    return subjects.event("default", "completed"), payload


def blob(system: System, key: str) -> Path:
    return system.folder / "blobs" / key


async def test_a_healthy_system_breaks_nothing(laptop: System, task: Row) -> None:
    assert task["status"] == "completed"
    await laptop.check()


async def test_i1_a_task_that_is_not_final(laptop: System, task: Row) -> None:
    await change(laptop, task, status="validating")
    assert await found(laptop, "I1", f"{task['id']} is validating")


async def test_i1_a_final_task_that_is_due(laptop: System, task: Row) -> None:
    await change(laptop, task, due_at=task["created_at"])
    assert await found(laptop, "I1", "still due")


async def test_i1_an_api_that_shows_something_else(laptop: System, task: Row) -> None:
    seen = await gather(laptop)
    shown = seen.shown[task["id"]]
    assert shown is not None
    shown.state = ImportTask.STATE_PENDING
    assert any("is shown as" in each for each in INVARIANTS["I1"](Case(laptop, seen, Allowed())))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ({1: ImportTask.STATE_PENDING, 2: ImportTask.STATE_COMPLETED}, "went from pending"),
        ({1: ImportTask.STATE_DOWNLOADING, 2: ImportTask.STATE_PENDING}, "went from downloading"),
        ({1: ImportTask.STATE_COMPLETED}, "began as completed"),
    ],
)
async def test_i2_a_status_that_leaves_the_edges(
    laptop: System, events: Mapping[int, ImportTask.State.ValueType], words: str
) -> None:
    id_ = uuid7()
    await publish(laptop, *(event(id_, version, state) for version, state in events.items()))
    assert await found(laptop, "I2", f"{id_} {words}")


async def test_i2_a_generation_that_nobody_asked_for(laptop: System, task: Row) -> None:
    told = ImportTask(
        name=f"importTasks/{task['id']}", version=99, generation=2, state=ImportTask.STATE_PENDING
    )
    payload = ImportTaskEvent(import_task=told).SerializeToString()
    await publish(laptop, (subjects.event("default", "pending"), payload))
    assert await found(laptop, "I2", "generation 2 after 0 changes")


async def test_i3_two_valid_records(laptop: System, task: Row) -> None:
    seen = await rows.read(laptop.database_url)
    record = next(row for row in seen["records"] if row["task_id"] == task["id"])
    again = {**record, "id": uuid7()}
    indexes = ("uq_records_valid_isrc", "uq_records_valid_task")
    await rows.execute(laptop.database_url, *(text(f"DROP INDEX {name}") for name in indexes))
    await rows.execute(laptop.database_url, insert(records).values(again))
    index = {str(index.name): index for index in records.indexes}
    async with mended(
        laptop,
        delete(records).where(records.c.id == again["id"]),
        *(_create(index[name]) for name in indexes),
    ):
        assert await found(laptop, "I3", f"2 valid records have {task['isrc']}")
        assert await found(laptop, "I3", f"{task['id']} has 2 valid records")


def _create(index: object) -> Executable:
    from sqlalchemy.schema import CreateIndex

    return CreateIndex(index)  # type: ignore[arg-type] # it is one


async def test_i3_a_completed_task_without_its_record(laptop: System, task: Row) -> None:
    await change(laptop, task, record_id=uuid7())
    assert await found(laptop, "I3", f"{task['id']} is completed without")


async def test_i4_a_report_that_was_applied_twice(laptop: System, task: Row) -> None:
    run = task["blob_key"].rpartition("/")[2]
    with laptop.apis[0].log_file.open("a") as log:
        log.write(f'{{"event": "report", "run": "{run}", "applied": true}}\n')
    assert await found(laptop, "I4", f"the report of run {run} was applied 2 times")


async def test_i4_bytes_of_another_generation(laptop: System, task: Row) -> None:
    await change(laptop, task, blob_key=f"default/{task['id']}/9/{uuid4()}")
    assert await found(laptop, "I4", "in generation 1 has the bytes")


async def test_i4_bytes_that_changed(laptop: System, task: Row) -> None:
    told = ImportTask(
        name=f"importTasks/{task['id']}", version=98, generation=1, actual_md5="0" * 32
    )
    payload = ImportTaskEvent(import_task=told).SerializeToString()
    await publish(laptop, (subjects.event("default", "completed"), payload))
    assert await found(laptop, "I4", f"{task['id']} changed its bytes")


async def test_i5_bytes_that_are_not_those_of_the_record(laptop: System, task: Row) -> None:
    path = blob(laptop, task["blob_key"])
    body = path.read_bytes()
    path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert await found(laptop, "I5", "the bytes of record")
    path.unlink()
    assert await found(laptop, "I5", "are None")
    path.write_bytes(body)


async def test_i5_bytes_that_are_not_those_of_the_origin(laptop: System, task: Row) -> None:
    told = laptop.ledger.tasks[task["id"]]
    told.md5, before = "0" * 32, told.md5
    assert await found(laptop, "I5", f"not {'0' * 32}")
    told.md5 = before


async def test_i6_an_event_that_waits(laptop: System, task: Row) -> None:
    id_, late = uuid7(), task["created_at"].replace(year=2100)
    row = {
        "id": id_,
        "subject": "x",
        "type": "x",
        "payload": b"",
        "time": late,
        "taken_until": late,
    }
    await rows.execute(laptop.database_url, insert(outbox).values(row))
    async with mended(laptop, delete(outbox).where(outbox.c.id == id_)):
        assert await found(laptop, "I6", f"event {id_}")


async def test_i6_a_change_that_was_not_told(laptop: System, task: Row) -> None:
    await change(laptop, task, version=task["version"] + 1)
    assert await found(laptop, "I6", f"versions [{task['version'] + 1}] of {task['id']}")


async def test_i6_a_change_that_was_told_otherwise(laptop: System, task: Row) -> None:
    await change(laptop, task, status="validation_failed")
    assert await found(laptop, "I6", f"{task['id']} was told to be completed")


async def test_i6_a_change_that_was_told_by_two_events(laptop: System, task: Row) -> None:
    await publish(laptop, event(task["id"], 1, ImportTask.STATE_PENDING))
    assert await found(laptop, "I6", f"version 1 of {task['id']} was told by 2 events")


async def test_i6_a_task_that_never_was(laptop: System) -> None:
    id_ = uuid7()
    await publish(laptop, event(id_, 1, ImportTask.STATE_PENDING))
    assert await found(laptop, "I6", f"{id_} was told of and never was")


async def test_i7_a_claim_that_is_left(laptop: System, task: Row) -> None:
    await change(laptop, task, run_id=uuid7(), lease_until=task["created_at"])
    assert await found(laptop, "I7", f"{task['id']} is still claimed")


@pytest.mark.parametrize("suffix", ["", ".part"])
async def test_i7_bytes_that_nothing_names(laptop: System, task: Row, suffix: str) -> None:
    key = f"default/{task['id']}/1/{uuid4()}"
    path = blob(laptop, f"{key}{suffix}")
    path.write_bytes(b"x")
    assert await found(laptop, "I7", f"nothing names the bytes {key}")
    path.unlink()


async def test_i7_a_copy_that_nobody_needs(laptop: System) -> None:
    path = laptop.folder / "validator-1" / "scratch" / "copy-x"
    path.write_bytes(b"x")
    assert await found(laptop, "I7", "left behind: copy validator-1/scratch/copy-x")
    path.unlink()


async def test_i7_rows_that_are_left(laptop: System, task: Row) -> None:
    now, id_ = task["created_at"], uuid7()
    letter = {"id": id_, "subject": "x", "payload": b"", "reason": "y", "created_at": now}
    doomed = {"blob_key": "default/x/1/y", "doomed_at": now}
    await rows.execute(
        laptop.database_url,
        insert(dead_letters).values(letter),
        insert(doomed_blobs).values(doomed),
    )
    async with mended(
        laptop,
        delete(dead_letters).where(dead_letters.c.id == id_),
        delete(doomed_blobs).where(doomed_blobs.c.blob_key == doomed["blob_key"]),
    ):
        assert await found(laptop, "I7", "dead letter x: y")
        assert await found(laptop, "I7", "default/x/1/y is doomed")


async def test_i7_a_message_that_is_left(laptop: System) -> None:
    laptop.downloaders[0].stop()
    id_ = uuid7()
    subject = subjects.work("download", id_, 1)
    await publish(laptop, (subject, wire.encode_command(Command(id_, 1))))
    try:
        assert await found(laptop, "I7", "1 messages are in STAGEDOOR_WORK")
    finally:
        laptop.downloaders[0].cont()


async def test_i7_a_child_that_is_left(laptop: System) -> None:
    async with laptop.client() as client:
        id_ = await client.bring("/long.wav", large(12))
        validator = await first_with_a_child(laptop.validators)
        validator.stop()
        try:
            assert await found(laptop, "I7", "validator-1 has the children")
            assert await found(laptop, "I7", f"{id_} is still claimed")
        finally:
            validator.cont()
        await client.all_completed(id_)


@pytest.fixture
def stranger(laptop: System) -> Iterator[UUID]:
    """A task that a client was told of and that never was."""
    id_ = uuid7()
    laptop.ledger.tasks[id_] = Told(attributes={})
    yield id_
    del laptop.ledger.tasks[id_]


async def test_i8_a_task_that_is_gone(laptop: System, task: Row, stranger: UUID) -> None:
    assert task["status"] == "completed"
    assert await found(laptop, "I8", f"{stranger} was answered with 201 and is gone")


async def test_i8_a_change_that_is_gone(laptop: System, task: Row) -> None:
    await change(laptop, task, isrc="USXXX0000000")
    assert await found(laptop, "I8", f"'{task['isrc']}' was confirmed")


async def test_i8_a_task_that_came_back(laptop: System, task: Row) -> None:
    told = laptop.ledger.tasks[task["id"]]
    told.deleted = True
    assert await found(laptop, "I8", f"{task['id']} was deleted and is completed")
    told.deleted = False


async def test_i8_a_task_that_nobody_was_told_of(laptop: System, task: Row) -> None:
    told = laptop.ledger.tasks.pop(task["id"])
    assert await found(laptop, "I8", f"nobody was told of {task['id']}")
    laptop.ledger.tasks[task["id"]] = told


@pytest.mark.parametrize("limit", ["rss_bytes", "descriptors"])
async def test_i9_a_process_that_grows(laptop: System, limit: str) -> None:
    assert await found(laptop, "I9", "api-1 has", **{limit: 1})


async def test_i9_logs_that_say_too_much(laptop: System) -> None:
    log = laptop.validators[0].log_file
    before = log.read_text()
    with log.open("a") as file:
        file.write("Traceback (most recent call last):\n")
        file.write(f"someone came with {laptop.token}\n")
    assert await found(laptop, "I9", "validator-1 logged a traceback")
    assert await found(laptop, "I9", "validator-1 logged a secret")
    log.write_text(before)


async def test_i10_a_recovery_that_took_too_long(laptop: System) -> None:
    laptop.end_fault()
    laptop.ledger.finished_at = time.monotonic() + HOUR
    assert await found(laptop, "I10", "recovery took 3600")
    laptop.fault_ended_at = None
