"""The end of an upload track, alone or with its upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.db import audit_rows, task_rows, upload_track_rows
from services.api.domain.upload_tracks import COLLECTION

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.db.transactions import Transaction
    from services.api.domain.principal import Principal
    from services.api.domain.upload_tracks import UploadTrack
    from services.api.use_cases.import_tasks import ImportTasks


def remove(
    transaction: Transaction, who: Principal, import_tasks: ImportTasks, track: UploadTrack
) -> None:
    """Remove a track with its import task and its record."""
    remove_task(transaction, who, import_tasks, track.task_id)
    upload_track_rows.remove(transaction, track)
    resource = f"{COLLECTION}/{track.id}"
    audit_rows.write(transaction, who, f"{COLLECTION}.delete", resource)


def remove_task(
    transaction: Transaction, who: Principal, import_tasks: ImportTasks, task_id: UUID
) -> None:
    """Remove a track's import task, unless somebody has done so already."""
    if task_rows.lock(transaction, task_id, who.tenant) is not None:
        import_tasks.deleting(who, task_id)(transaction)
