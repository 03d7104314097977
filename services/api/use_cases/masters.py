"""What becomes of a master's record and bytes when its task changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import header_rows, publication_rows, record_rows, report_rows
from services.api.db.blob_rows import doom
from services.api.domain.catalogue import Record
from services.api.domain.jobs import TASK_DELETED
from services.api.domain.keeping import end_of
from services.api.domain.lifecycle import FAILED, FINAL, PublicationStatus, Status
from services.api.domain.publishing import follow
from services.api.use_cases import job_ends

if TYPE_CHECKING:
    from datetime import datetime

    from services.api.db.task_rows import TaskRows
    from services.api.db.transactions import Transaction
    from services.api.domain.keeping import Age
    from services.api.domain.task import Master, Task

__all__ = ["doom", "keys_of", "remove", "replace_record", "settle"]

_AT_ONCE = timedelta(0)


def replace_record(
    transaction: Transaction,
    task: Task,
    now: datetime,
    keep_superseded: Age = _AT_ONCE,
    converted: Master | None = None,
) -> Task | None:
    """Give a completed task a record of its present values in the place of the one before.

    The record is of the task's master, or of what that was ``converted`` to. The bytes of the one
    before are kept so long. None, and nothing changed, when another task's valid record holds the
    ISRC.
    """
    if task.master is None:
        raise ValueError(f"task {task.id} is completed without a master")
    record = Record(
        id=uuid7(),
        tenant=task.tenant,
        task_id=task.id,
        target=task.target,
        isrc=task.isrc,
        master_type=task.master_type,
        master=converted or task.master,
        format=task.format or {},
        problems=task.problems,
        created_at=now,
        report_generation=task.generation if task.has_report else None,
    )
    won, superseded = record_rows.replace_valid(transaction, record)
    if not won:
        return None
    if superseded is not None and superseded.master.blob_key != record.master.blob_key:
        # The task's row still names the new bytes only; the old ones are unreachable from here on.
        doom(transaction, {superseded.master.blob_key}, end_of(keep_superseded, now))
    return replace(task, record_id=record.id)


def remove(transaction: Transaction, rows: TaskRows, task: Task, now: datetime) -> None:
    """Remove a locked task with all that belongs to it; bytes that nothing names are doomed."""
    keys = record_rows.delete_of_task(transaction, task.id)
    for publication in publication_rows.lock_all(transaction, task_id=task.id):
        publication_rows.remove(transaction, publication)
        keys |= {each.blob_key for each in publication.renditions}
    report_rows.delete_of_task(transaction, task.id)
    header_rows.remove(transaction, task.id)
    job_ends.end(transaction, task, TASK_DELETED)
    rows.delete(transaction, replace(task, version=task.version + 1), now)
    doom(transaction, keys | keys_of(task), now)


def keys_of(task: Task) -> set[str]:
    """The blob keys that a task needs; a failed one keeps its master's size and MD5 only."""
    return {task.master.blob_key} if task.master and task.status not in FAILED else set()


def settle(transaction: Transaction, before: Task, after: Task, now: datetime) -> None:
    """Doom what bytes a saved change left behind, and let go on who waits to publish."""
    doom(transaction, keys_of(before) - keys_of(after), now)
    if after.status in FINAL and after.status is not before.status:
        job_ends.follow(transaction, after)
        if not transaction.find(publication_rows.QUEUED, after.id):
            return
        ready = after.status is Status.COMPLETED
        for waiting in publication_rows.lock_all(
            transaction, task_id=after.id, status=PublicationStatus.QUEUED
        ):
            publication_rows.save(transaction, waiting, follow(waiting, now, ready=ready))
