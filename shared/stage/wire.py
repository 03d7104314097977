"""The protobuf bytes of what the API and its workers say to each other, both ways.

Nobody else knows the generated types. Every ``decode`` raises MalformedMessage for bytes that are
not exactly what they should be. The names in capitals are the CloudEvents types.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shared.stage.checks import (
    MalformedMessage,
    UnknownType,
    duration,
    expect,
    generation,
    not_negative,
    parsed,
    to_duration,
    uuid,
)
from shared.stage.job import Job
from shared.stage.messages import (
    CancelHint,
    ClaimReply,
    ClaimRequest,
    Command,
    Go,
    Later,
    ProgressRequest,
    Stop,
)
from shared.stage.reports import decode_report, encode_report
from stagedoor.events.v1 import work_pb2 as pb

if TYPE_CHECKING:
    from uuid import UUID

    from google.protobuf.duration_pb2 import Duration

__all__ = [
    "CANCEL",
    "CLAIM",
    "COMMAND",
    "PROGRESS",
    "REPORT",
    "MalformedMessage",
    "UnknownType",
    "decode_cancel",
    "decode_claim",
    "decode_claim_reply",
    "decode_command",
    "decode_progress",
    "decode_progress_reply",
    "decode_report",
    "encode_cancel",
    "encode_claim",
    "encode_claim_reply",
    "encode_command",
    "encode_progress",
    "encode_progress_reply",
    "encode_report",
    "expect",
]

COMMAND: Final = pb.WorkCommand.DESCRIPTOR.full_name
CLAIM: Final = pb.ClaimRequest.DESCRIPTOR.full_name
PROGRESS: Final = pb.ProgressRequest.DESCRIPTOR.full_name
CANCEL: Final = pb.CancelHint.DESCRIPTOR.full_name
REPORT: Final = pb.RunReport.DESCRIPTOR.full_name


def encode_command(command: Command) -> bytes:
    """The bytes of a command."""
    message = pb.WorkCommand(task_id=str(command.task_id), generation=command.generation)
    return message.SerializeToString()


def decode_command(data: bytes) -> Command:
    """A command."""
    message = parsed(pb.WorkCommand, data)
    return Command(uuid(message.task_id), generation(message.generation))


def encode_claim(claim: ClaimRequest) -> bytes:
    """The bytes of the wish to start a run."""
    message = pb.ClaimRequest(generation=claim.generation, run_id=str(claim.run_id))
    return message.SerializeToString()


def decode_claim(data: bytes) -> ClaimRequest:
    """The wish to start a run."""
    message = parsed(pb.ClaimRequest, data)
    return ClaimRequest(generation(message.generation), uuid(message.run_id))


def encode_claim_reply(reply: ClaimReply) -> bytes:
    """The bytes of the answer to a claim."""
    match reply:
        case Go(job=job, lease=lease, deadline=deadline):
            go = pb.ClaimReply.Go(
                tenant=job.tenant,
                master_type=job.master_type,
                source_uri=job.source_uri,
                declared_md5=job.declared_md5,
                blob_key=job.blob_key,
                size_bytes=job.size_bytes,
                actual_md5=job.actual_md5,
                attempt=job.attempt,
                max_attempts=job.max_attempts,
                lease=to_duration(lease),
                deadline=to_duration(deadline),
                delivery_profile=job.delivery_profile,
                stereo_duration=_to_seconds(job.stereo_duration_seconds),
                source_headers=job.source_headers,
                max_bytes=job.max_bytes,
                formats=job.formats,
                tags=job.tags,
                cover_key=job.cover_key,
            )
            return pb.ClaimReply(go=go).SerializeToString()
        case Later(delay=delay):
            later = pb.ClaimReply.Later(delay=to_duration(delay))
            return pb.ClaimReply(later=later).SerializeToString()
        case Stop(reason=reason):
            return pb.ClaimReply(stop=pb.ClaimReply.Stop(reason=reason)).SerializeToString()


def decode_claim_reply(data: bytes, task_id: UUID, claim: ClaimRequest) -> ClaimReply:
    """The answer to a claim on this task."""
    message = parsed(pb.ClaimReply, data)
    match message.WhichOneof("decision"):
        case "go":
            return _go(message.go, task_id, claim)
        case "later":
            return Later(duration(message.later.delay))
        case "stop":
            return Stop(message.stop.reason)
        case _:
            raise MalformedMessage("no decision")


def _go(go: pb.ClaimReply.Go, task_id: UUID, claim: ClaimRequest) -> Go:
    lease, deadline = duration(go.lease), duration(go.deadline)
    if not (go.tenant and lease and deadline):
        raise MalformedMessage("a claim without tenant, lease or deadline")
    job = Job(
        task_id=task_id,
        generation=claim.generation,
        run_id=claim.run_id,
        tenant=go.tenant,
        master_type=go.master_type,
        source_uri=go.source_uri,
        declared_md5=go.declared_md5,
        blob_key=go.blob_key,
        size_bytes=not_negative(go.size_bytes),
        actual_md5=go.actual_md5,
        attempt=go.attempt,
        max_attempts=go.max_attempts,
        delivery_profile=go.delivery_profile,
        stereo_duration_seconds=(
            duration(go.stereo_duration).total_seconds() if go.HasField("stereo_duration") else None
        ),
        source_headers=dict(go.source_headers),
        max_bytes=not_negative(go.max_bytes),
        formats=tuple(go.formats),
        tags=dict(go.tags),
        cover_key=go.cover_key,
    )
    return Go(job, lease, deadline)


def _to_seconds(seconds: float | None) -> Duration | None:
    return None if seconds is None else to_duration(timedelta(seconds=seconds))


def encode_progress(progress: ProgressRequest) -> bytes:
    """The bytes of a sign of life."""
    message = pb.ProgressRequest(
        generation=progress.generation,
        run_id=str(progress.run_id),
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
    )
    return message.SerializeToString()


def decode_progress(data: bytes) -> ProgressRequest:
    """A sign of life."""
    message = parsed(pb.ProgressRequest, data)
    known = message.HasField("total_bytes")
    return ProgressRequest(
        generation(message.generation),
        uuid(message.run_id),
        not_negative(message.done_bytes),
        not_negative(message.total_bytes) if known else None,
    )


def encode_progress_reply(*, go_on: bool) -> bytes:
    """The bytes of the answer to a sign of life."""
    return pb.ProgressReply(stop=not go_on).SerializeToString()


def decode_progress_reply(data: bytes) -> bool:
    """Whether the run may go on."""
    return not parsed(pb.ProgressReply, data).stop


def encode_cancel(hint: CancelHint) -> bytes:
    """The bytes of a cancel hint."""
    return pb.CancelHint(generation=hint.generation).SerializeToString()


def decode_cancel(data: bytes) -> CancelHint:
    """A cancel hint."""
    return CancelHint(generation(parsed(pb.CancelHint, data).generation))
