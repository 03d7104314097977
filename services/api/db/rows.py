"""Rows to domain objects and back, one pair per noun."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.api.domain.catalogue import Record, Settings, Track
from services.api.domain.lifecycle import Status, due_stage
from services.api.domain.task import Claim, Master, Progress, Target, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

Values = dict[str, Any]

_MICROSECOND = timedelta(microseconds=1)


def task_values(task: Task) -> Values:
    """The columns of a task's row."""
    claim, progress, master, target = task.claim, task.progress, task.master, task.target
    return {
        "id": task.id,
        "tenant": task.tenant,
        "master_type": task.master_type,
        "source_uri": task.source_uri,
        "isrc": task.isrc,
        "target_type": target and target.type,
        "target_id": target and target.id,
        "declared_md5": task.declared_md5,
        "status": str(task.status),
        "generation": task.generation,
        "version": task.version,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "due_at": task.due_at,
        "attempts": task.attempts,
        "published": task.published,
        "run_id": claim and claim.run_id,
        "lease_until": claim and claim.lease_until,
        "deadline": claim and claim.deadline,
        "done_bytes": progress and progress.done_bytes,
        "total_bytes": progress and progress.total_bytes,
        "blob_key": master and master.blob_key,
        "size_bytes": master and master.size_bytes,
        "actual_md5": master and master.md5,
        "format": task.format and dict(task.format),
        "problems": [dict(problem) for problem in task.problems],
        "last_failure": task.last_failure and dict(task.last_failure),
        "record_id": task.record_id,
        "traceparent": task.traceparent,
        "delivery_profile": task.delivery_profile,
        "has_report": task.has_report,
    }


def to_task(row: Row[Any]) -> Task:
    """The task of a row."""
    return task_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


def task_from(columns: Mapping[Any, Any]) -> Task:
    """The task of the values of its columns."""
    status = Status(columns["status"])
    return Task(
        id=columns["id"],
        tenant=columns["tenant"],
        master_type=columns["master_type"],
        source_uri=columns["source_uri"],
        isrc=columns["isrc"],
        target=_target(columns),
        declared_md5=columns["declared_md5"],
        status=status,
        generation=columns["generation"],
        version=columns["version"],
        created_at=columns["created_at"],
        updated_at=columns["updated_at"],
        due_at=columns["due_at"],
        attempts=columns["attempts"],
        published=columns["published"],
        claim=_claim(columns),
        progress=_progress(columns, status),
        master=_master(columns),
        format=columns["format"],
        problems=tuple(columns["problems"]),
        last_failure=columns["last_failure"],
        record_id=columns["record_id"],
        traceparent=columns["traceparent"],
        delivery_profile=columns["delivery_profile"],
        has_report=bool(columns["has_report"]),
    )


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


def track_values(track: Track) -> Values:
    """The columns of a track's row."""
    return {
        "id": track.id,
        "tenant": track.tenant,
        "title": track.title,
        "isrc": track.isrc,
        "version": track.version,
        "created_at": track.created_at,
        "updated_at": track.updated_at,
        "stereo_microseconds": track.stereo_duration and track.stereo_duration // _MICROSECOND,
    }


def to_track(row: Row[Any]) -> Track:
    """The track of a row."""
    return track_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


def track_from(columns: Mapping[Any, Any]) -> Track:
    """The track of the values of its columns."""
    microseconds = columns["stereo_microseconds"]
    return Track(
        id=columns["id"],
        tenant=columns["tenant"],
        title=columns["title"],
        isrc=columns["isrc"],
        version=columns["version"],
        created_at=columns["created_at"],
        updated_at=columns["updated_at"],
        stereo_duration=None if microseconds is None else microseconds * _MICROSECOND,
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


def _progress(columns: Mapping[Any, Any], status: Status) -> Progress | None:
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
