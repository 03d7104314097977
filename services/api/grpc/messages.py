"""What the domain knows, as messages of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from services.api.grpc.etags import etag_of
from services.api.grpc.names import (
    AUDIT_ENTRIES,
    IMPORT_TASKS,
    RECORDS,
    SETTINGS,
    SUBSCRIPTIONS,
    UPLOADS,
    delivery_of,
    name_of,
    report_of,
)
from stagedoor.events.v1.import_task_event_pb2 import ImportTaskEvent
from stagedoor.v1.audit_service_pb2 import AuditEntry
from stagedoor.v1.import_task_service_pb2 import ImportTask, WatchImportTasksResponse
from stagedoor.v1.problem_pb2 import Format, Problem
from stagedoor.v1.record_service_pb2 import DownloadLink, Record
from stagedoor.v1.settings_service_pb2 import Settings
from stagedoor.v1.subscription_service_pb2 import Delivery, Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from services.api.domain import catalogue, subscriptions
    from services.api.domain.lifecycle import Status
    from services.api.domain.links import Link
    from services.api.domain.task import Finding, Progress, Target, Task
    from services.api.use_cases.watching import Change

STATE_PREFIX = "STATE_"
_MASTER_TYPE_PREFIX = "MASTER_TYPE_"
_PRIORITY_PREFIX = "PRIORITY_"
MAX_TOLD_PROBLEMS = 20
"""Of a task in a webhook, which should be small; the validation report has them all."""


def import_task(task: Task) -> ImportTask:
    """The task as clients see it."""
    message = ImportTask(
        name=name_of(IMPORT_TASKS, task.id),
        source_uri=task.source_uri or "",
        isrc=task.isrc or "",
        target=_target(task.target),
        declared_md5=task.declared_md5 or "",
        master_type=_master_type(task.master_type),
        state=state(task.status),
        record=name_of(RECORDS, task.record_id) if task.record_id else "",
        problems=[problem(finding) for finding in task.problems],
        generation=task.generation,
        attempts=task.attempts,
        version=task.version,
        create_time=timestamp(task.created_at),
        update_time=timestamp(task.updated_at),
        next_attempt_time=timestamp(task.next_attempt_at) if task.next_attempt_at else None,
        progress=_progress(task.progress) if task.progress else None,
        last_failure=problem(task.last_failure) if task.last_failure else None,
        etag=etag_of(task.version),
        delivery_profile=task.delivery_profile or "",
        priority=ImportTask.Priority.Value(_PRIORITY_PREFIX + task.priority.name),
        validation_report=report_of(IMPORT_TASKS, task.id) if task.has_report else "",
        number=task.number or 0,
        source_upload=name_of(UPLOADS, task.source_upload_id) if task.source_upload_id else "",
        precision=task.precision or 0,
    )
    if task.master:
        message.size_bytes = task.master.size_bytes
        message.actual_md5 = task.master.md5
    return message


def record(record: catalogue.Record) -> Record:
    """The record as clients see it."""
    return Record(
        name=name_of(RECORDS, record.id),
        import_task=name_of(IMPORT_TASKS, record.task_id),
        target=_target(record.target),
        isrc=record.isrc or "",
        master_type=_master_type(record.master_type),
        md5=record.master.md5,
        size_bytes=record.master.size_bytes,
        format=_format(record.format),
        problems=[problem(finding) for finding in record.problems],
        create_time=timestamp(record.created_at),
        supersede_time=timestamp(record.superseded_at),
        validation_report=report_of(RECORDS, record.id) if record.report_generation else "",
    )


def download_link(link: Link) -> DownloadLink:
    """The link as clients see it."""
    return DownloadLink(uri=link.url, expire_time=timestamp(link.expires_at))


def subscription(subscription: subscriptions.Subscription, secret: str = "") -> Subscription:
    """The subscription as clients see it, with its secret for who just got it."""
    reason = subscription.disabled_reason
    return Subscription(
        name=name_of(SUBSCRIPTIONS, subscription.id),
        target=subscription.target,
        event_types=subscription.event_types,
        description=subscription.description,
        enabled=subscription.enabled,
        disabled_reason=Subscription.DisabledReason.Value(
            f"DISABLED_REASON_{reason.name if reason else 'UNSPECIFIED'}"
        ),
        fail_time=timestamp(subscription.failing_since),
        secret=secret,
        create_time=timestamp(subscription.created_at),
        update_time=timestamp(subscription.updated_at),
        etag=etag_of(subscription.version),
    )


def delivery(subscription_id: UUID, delivery: subscriptions.Delivery) -> Delivery:
    """The delivery of a subscription as clients see it."""
    return Delivery(
        name=delivery_of(subscription_id, delivery.id),
        event=str(delivery.event_id),
        event_type=delivery.event_type,
        target=delivery.target,
        state=Delivery.State.Value(STATE_PREFIX + delivery.state.name),
        attempts=delivery.attempts,
        last_status=delivery.last_status,
        last_error=delivery.last_error or "",
        last_attempt_time=timestamp(delivery.last_tried_at),
        next_attempt_time=timestamp(delivery.due_at),
        create_time=timestamp(delivery.created_at),
        end_time=timestamp(delivery.ended_at),
    )


def settings(settings: catalogue.Settings) -> Settings:
    """The settings as clients see them."""
    return Settings(
        name=SETTINGS,
        delivery_profile=settings.delivery_profile or "",
        update_time=timestamp(settings.updated_at),
        etag=etag_of(settings.version),
        byte_quota=settings.storage.quota,
        stored_bytes=settings.storage.stored,
        contact_email=settings.contact_email or "",
        upload_master_type=settings.upload_master_type or "",
    )


def change(change: Change) -> WatchImportTasksResponse:
    """The change as clients see it; of a deleted task only which and its last version."""
    gone = ImportTask(name=name_of(IMPORT_TASKS, change.task_id), version=change.version)
    return WatchImportTasksResponse(
        import_task=import_task(change.task) if change.task else gone,
        deleted=change.deleted,
        cursor=change.cursor,
    )


def audit_entry(entry: catalogue.AuditEntry) -> AuditEntry:
    """The entry of the audit log as clients see it."""
    return AuditEntry(
        name=name_of(AUDIT_ENTRIES, entry.id),
        principal=entry.principal,
        action=entry.action,
        resource=entry.resource,
        address=entry.address,
        create_time=timestamp(entry.created_at),
    )


def event_payload(task: Task, *, deleted: bool, now: datetime) -> bytes:
    """What the world is told about a change of a task: a serialised ImportTaskEvent."""
    seen = import_task(task)
    if deleted:
        seen = ImportTask(name=seen.name, generation=seen.generation, version=seen.version)
    event = ImportTaskEvent(import_task=seen, deleted=deleted, event_time=timestamp(now))
    return event.SerializeToString(deterministic=True)


def event_data(task: Task, *, deleted: bool) -> Mapping[str, object]:
    """The same for webhooks and mail, as JSON: without the URL, which may be a signed one."""
    seen = import_task(task)
    if deleted:
        seen = ImportTask(name=seen.name, generation=seen.generation, version=seen.version)
    seen.ClearField("source_uri")
    del seen.problems[MAX_TOLD_PROBLEMS:]
    told: dict[str, object] = {"importTask": MessageToDict(seen)}
    return told | {"deleted": True} if deleted else told


def state(status: Status) -> ImportTask.State.ValueType:
    """The contract's word for a status."""
    return ImportTask.State.Value(STATE_PREFIX + status.name)


def master_type(value: ImportTask.MasterType.ValueType) -> str:
    """The core's word for a master type; of a number that has none, a word that nobody knows."""
    known = ImportTask.MasterType.DESCRIPTOR.values_by_number.get(value)
    return known.name.removeprefix(_MASTER_TYPE_PREFIX).lower() if known else str(value)


def priority(value: ImportTask.Priority.ValueType) -> str | None:
    """The core's word for a priority, None if it is not set; otherwise as ``master_type``."""
    known = ImportTask.Priority.DESCRIPTOR.values_by_number.get(value)
    word = known.name.removeprefix(_PRIORITY_PREFIX).lower() if known else str(value)
    return word if value else None


def _master_type(master_type: str) -> ImportTask.MasterType.ValueType:
    return ImportTask.MasterType.Value(_MASTER_TYPE_PREFIX + master_type.upper())


def duration(length: timedelta) -> Duration:
    """A length of time."""
    message = Duration()
    message.FromTimedelta(length)
    return message


def _target(target: Target | None) -> str:
    return name_of(target.type, target.id) if target else ""


def _progress(progress: Progress) -> ImportTask.Progress:
    return ImportTask.Progress(
        stage=progress.stage,
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
    )


def problem(finding: Finding) -> Problem:
    """The finding as clients see it."""
    severity = Problem.Severity.Value(f"SEVERITY_{finding['severity'].upper()}")
    return Problem(**{key: finding[key] for key in finding if key != "severity"}, severity=severity)


def _format(seen: Mapping[str, object]) -> Format:
    return ParseDict(dict(seen), Format(), ignore_unknown_fields=True)


def struct(given: Mapping[str, Any] | None) -> Struct | None:
    """Metadata as a message; None for none."""
    if given is None:
        return None
    message = Struct()
    message.update(given)
    return message


def metadata(given: Struct) -> dict[str, object]:
    """Metadata of a message; numbers without a fraction are whole again."""
    return dict(MessageToDict(given))


def timestamp(moment: datetime | None) -> Timestamp | None:
    """A moment, or none."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
