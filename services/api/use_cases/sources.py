"""Where an import task has its bytes from, when that is an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from services.api.db import upload_rows
from services.api.domain.changes import Unset
from services.api.domain.errors import RelatedNotFound, StateConflict
from services.api.domain.lifecycle import FAILED
from services.api.domain.uploads import COLLECTION, KINDS, UploadState

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from services.api.domain.changes import TaskChange
    from services.api.domain.task import Master, Task
    from services.api.domain.uploads import Upload
    from services.api.use_cases.fields import Reader

FIELD = "source_upload"


def lock(transaction: Transaction, tenant: str, given: object) -> Upload | None:
    """The upload that a new task names, if any. Raises RelatedNotFound."""
    if not isinstance(given, UUID):
        return None
    upload = upload_rows.lock(transaction, given, tenant)
    if upload is None:
        raise RelatedNotFound(FIELD, COLLECTION, given)
    return upload


def judge_new(
    transaction: Transaction, reader: Reader, upload: Upload | None, change: TaskChange
) -> None:
    """Note what keeps a new task from importing an upload."""
    reader.is_missing(FIELD, upload)
    if upload is None:
        return
    if upload.state is not UploadState.STORED or not KINDS[upload.kind].is_master:
        reader.refuse(FIELD, "invalid", "The upload has no bytes that can be imported.")
    elif isinstance(change.source_uri, str):
        reader.refuse(FIELD, "invalid", "A task has a source or an upload, not both.")
    elif upload_rows.is_source(transaction.connection, upload.id):
        reader.refuse(FIELD, "invalid", "Another import task has the upload.")
    elif upload.master is not None:
        _judge_md5(reader, change, upload.master)


def judge_change(reader: Reader, given: object, change: TaskChange, before: Task) -> None:
    """Note what an upload does not allow to change."""
    reader.is_missing(FIELD, given)
    if not isinstance(given, Unset) and given != before.source_upload_id:
        reader.refuse(FIELD, "invalid", "The source upload cannot be changed.")
    if before.source_upload_id and before.master and not isinstance(change.source_uri, str):
        _judge_md5(reader, change, before.master)


def master_again(transaction: Transaction, task: Task) -> Master | None:
    """The uploaded bytes of a failed task, to be tried again; None for a source.

    Raises StateConflict when they are gone.
    """
    if task.source_upload_id is None or task.status not in FAILED:
        return None
    upload = upload_rows.lock(transaction, task.source_upload_id)
    if upload is None or upload.master is None:
        detail = "The uploaded bytes are gone. Upload them again for a new import task."
        raise StateConflict(detail, task.status)
    return upload.master


def _judge_md5(reader: Reader, change: TaskChange, master: Master) -> None:
    if isinstance(change.declared_md5, str) and change.declared_md5 != master.md5:
        reader.refuse("declared_md5", "invalid", "The uploaded bytes have another MD5.")
