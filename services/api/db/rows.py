"""Rows to domain objects and back, one pair per noun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.api.db.tables import import_tasks
from services.api.domain.catalogue import Record, Settings
from services.api.domain.lifecycle import Priority, Status, due_stage
from services.api.domain.task import Claim, Master, Progress, Target, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from services.api.domain.lifecycle import PublicationStatus
    from services.api.domain.work import Work

Values = dict[str, Any]

_TASK_COLUMNS = tuple(column.name for column in import_tasks.c)
_WORK_FIELDS = (
    *("id", "tenant", "generation", "version", "created_at", "updated_at", "due_at"),
    *("attempts", "published", "last_failure", "traceparent"),
)
_TASK_FIELDS = (
    *_WORK_FIELDS,
    *("master_type", "source_uri", "isrc", "declared_md5", "format", "record_id"),
    *("delivery_profile", "number", "source_upload_id", "precision"),
    *("product_id", "distributor_id"),
)
_STATUSES = {str(status): status for status in Status}
_PRIORITIES = tuple(Priority)


def work_values(work: Work) -> Values:
    """The columns of what runs work on."""
    claim, progress = work.claim, work.progress
    return {
        "id": work.id,
        "tenant": work.tenant,
        "status": str(work.status),
        "generation": work.generation,
        "version": work.version,
        "created_at": work.created_at,
        "updated_at": work.updated_at,
        "due_at": work.due_at,
        "priority": int(work.priority),
        "attempts": work.attempts,
        "published": work.published,
        "run_id": claim and claim.run_id,
        "lease_until": claim and claim.lease_until,
        "deadline": claim and claim.deadline,
        "done_bytes": progress and progress.done_bytes,
        "total_bytes": progress and progress.total_bytes,
        "problems": [dict(problem) for problem in work.problems],
        "last_failure": work.last_failure and dict(work.last_failure),
        "traceparent": work.traceparent,
    }


def work_from(columns: Mapping[Any, Any], status: Status | PublicationStatus) -> Values:
    """The fields of what runs work on, of the values of its columns."""
    return {
        **{name: columns[name] for name in _WORK_FIELDS},
        "status": status,
        "priority": _PRIORITIES[columns["priority"]],
        "claim": _claim(columns),
        "progress": _progress(columns, status),
        "problems": tuple(columns["problems"]),
    }


def task_values(task: Task) -> Values:
    """The columns of a task's row."""
    master, target = task.master, task.target
    return {
        **work_values(task),
        "master_type": task.master_type,
        "source_uri": task.source_uri,
        "isrc": task.isrc,
        "target_type": target and target.type,
        "target_id": target and target.id,
        "declared_md5": task.declared_md5,
        "blob_key": master and master.blob_key,
        "size_bytes": master and master.size_bytes,
        "actual_md5": master and master.md5,
        "format": task.format and dict(task.format),
        "record_id": task.record_id,
        "delivery_profile": task.delivery_profile,
        "has_report": task.has_report,
        "number": task.number,
        "source_upload_id": task.source_upload_id,
        "precision": task.precision,
        "product_id": task.product_id,
        "distributor_id": task.distributor_id,
    }


def to_task(row: Row[Any]) -> Task:
    """The task of a whole row."""
    # Many times as fast to read from as the row's own mapping.
    return task_from(dict(zip(_TASK_COLUMNS, row, strict=True)))


def task_from(columns: Mapping[Any, Any]) -> Task:
    """The task of the values of its columns."""
    status = _STATUSES[columns["status"]]
    fields = {name: columns[name] for name in _TASK_FIELDS}
    fields |= {
        "status": status,
        "priority": _PRIORITIES[columns["priority"]],
        "claim": _claim(columns),
        "progress": _progress(columns, status),
        "problems": tuple(columns["problems"]),
        "target": _target(columns),
        "master": _master(columns),
        "has_report": bool(columns["has_report"]),
    }
    return Task(**fields)


def record_values(record: Record) -> Values:
    """The columns of a record's row."""
    return {
        "id": record.id,
        "tenant": record.tenant,
        "task_id": record.task_id,
        "target_type": record.target and record.target.type,
        "target_id": record.target and record.target.id,
        "isrc": record.isrc,
        "master_type": record.master_type,
        "blob_key": record.master.blob_key,
        "size_bytes": record.master.size_bytes,
        "md5": record.master.md5,
        "format": dict(record.format),
        "problems": [dict(problem) for problem in record.problems],
        "created_at": record.created_at,
        "superseded_at": record.superseded_at,
        "report_generation": record.report_generation,
    }


def to_record(row: Row[Any]) -> Record:
    """The record of a row."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return Record(
        id=columns["id"],
        tenant=columns["tenant"],
        task_id=columns["task_id"],
        target=_target(columns),
        isrc=columns["isrc"],
        master_type=columns["master_type"],
        master=Master(
            blob_key=columns["blob_key"], size_bytes=columns["size_bytes"], md5=columns["md5"]
        ),
        format=columns["format"],
        problems=tuple(columns["problems"]),
        created_at=columns["created_at"],
        superseded_at=columns["superseded_at"],
        report_generation=columns["report_generation"],
    )


def to_settings(row: Row[Any]) -> Settings:
    """The settings of a row."""
    return Settings(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


def _target(columns: Mapping[Any, Any]) -> Target | None:
    if columns["target_type"] is None:
        return None
    return Target(columns["target_type"], columns["target_id"])


def _claim(columns: Mapping[Any, Any]) -> Claim | None:
    if columns["run_id"] is None:
        return None
    return Claim(
        run_id=columns["run_id"],
        lease_until=columns["lease_until"],
        deadline=columns["deadline"],
    )


def _progress(columns: Mapping[Any, Any], status: Status | PublicationStatus) -> Progress | None:
    stage = due_stage(status)
    if stage is None or columns["done_bytes"] is None:
        return None
    return Progress(
        stage=stage, done_bytes=columns["done_bytes"], total_bytes=columns["total_bytes"]
    )


def _master(columns: Mapping[Any, Any]) -> Master | None:
    if columns["blob_key"] is None:
        return None
    return Master(
        blob_key=columns["blob_key"], size_bytes=columns["size_bytes"], md5=columns["actual_md5"]
    )
