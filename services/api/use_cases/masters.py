"""What becomes of a master's record and bytes when its task changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import header_rows, record_rows, report_rows
from services.api.db.blob_rows import doom
from services.api.domain.catalogue import Record
from services.api.domain.keeping import end_of
from services.api.domain.lifecycle import FAILED

if TYPE_CHECKING:
    from datetime import datetime

    from services.api.db.executor import Transaction
    from services.api.db.task_rows import TaskRows
    from services.api.domain.keeping import Age
    from services.api.domain.task import Task

__all__ = ["doom", "doom_left", "keys_of", "remove", "replace_record"]

_AT_ONCE = timedelta(0)


def replace_record(
    transaction: Transaction, task: Task, now: datetime, keep_superseded: Age = _AT_ONCE
) -> Task | None:
    """Give a completed task a record of its present values in the place of the one before.

    The bytes of that one are kept so long. None, and nothing changed, when another task's valid
    record holds the ISRC.
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
        master=task.master,
        format=task.format or {},
        problems=task.problems,
        created_at=now,
        report_generation=task.generation if task.has_report else None,
    )
    won, superseded = record_rows.replace_valid(transaction, record)
    if not won:
        return None
    if superseded is not None and superseded.master.blob_key != task.master.blob_key:
        # The task's row still names the new bytes only; the old ones are unreachable from here on.
        doom(transaction, {superseded.master.blob_key}, end_of(keep_superseded, now))
    return replace(task, record_id=record.id)


def remove(transaction: Transaction, rows: TaskRows, task: Task, now: datetime) -> None:
    """Remove a locked task with all that belongs to it; bytes that nothing names are doomed."""
    keys = record_rows.delete_of_task(transaction, task.id)
    report_rows.delete_of_task(transaction, task.id)
    header_rows.remove(transaction, task.id)
    rows.delete(transaction, replace(task, version=task.version + 1), now)
    doom(transaction, keys | keys_of(task), now)


def keys_of(task: Task) -> set[str]:
    """The blob keys that a task needs; a failed one keeps its master's size and MD5 only."""
    return {task.master.blob_key} if task.master and task.status not in FAILED else set()


def doom_left(transaction: Transaction, before: Task, after: Task, now: datetime) -> None:
    """Mark the bytes that a saved change left behind."""
    doom(transaction, keys_of(before) - keys_of(after), now)
