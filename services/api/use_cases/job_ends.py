"""How jobs end: with the import task that they wait for, in its transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.db import job_rows, snapshots, upload_track_rows
from services.api.domain.jobs import TASK_FAILED
from services.api.domain.lifecycle import Status
from services.api.domain.upload_tracks import MASTER_TYPES

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from services.api.domain.task import Finding, Task

_WAITED_FOR = frozenset(MASTER_TYPES.values())


def follow(transaction: Transaction, task: Task) -> None:
    """End the jobs that wait for a task that has ended."""
    error = None
    if task.status is not Status.COMPLETED:
        errors = (each for each in task.problems if each["severity"] == "error")
        error = next(errors, TASK_FAILED)
    end(transaction, task, error)


def end(transaction: Transaction, task: Task, error: Finding | None) -> None:
    """End the jobs that wait for a task, with a reason if they failed."""
    if task.master_type not in _WAITED_FOR:  # no statement more for all others
        return
    for job in job_rows.lock_waiting(transaction, task.id):
        track = upload_track_rows.find(transaction.connection, job.tenant, job.resource.id)
        ended = job.ended(transaction.now(), snapshots.dump(track), error)
        job_rows.save(transaction, ended)
