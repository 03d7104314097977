"""Refusals as google.rpc.Status with its details (AIP-193)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from services.api.domain.errors import (
    InvalidFields,
    InvalidQuery,
    NotFound,
    OperationRefused,
    RateLimited,
    RelatedNotFound,
    ScopeMissing,
    StateConflict,
    Unavailable,
)
from services.api.domain.nouns import NOUNS
from services.api.domain.reasons import answer
from services.api.grpc.codes import DOMAIN, INTERNAL, METHOD_UNKNOWN
from services.api.grpc.names import (
    DELIVERIES,
    IMPORT_TASKS,
    JOBS,
    PUBLICATIONS,
    PUBLISH_JOBS,
    RECORDS,
    RENDITIONS,
    SUBSCRIPTIONS,
    UPLOAD_SESSIONS,
    UPLOAD_TRACKS,
    UPLOADS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    from services.api.domain.errors import Refusal

RETRY_AFTER: Final = timedelta(seconds=1)
OPERATIONS: Final = "requests"
"""The field of a batch that holds its operations (AIP-231)."""
MAX_KEY: Final = 100
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)
_TYPES = {
    IMPORT_TASKS: "ImportTask",
    RECORDS: "Record",
    SUBSCRIPTIONS: "Subscription",
    DELIVERIES: "Delivery",
    UPLOADS: "Upload",
    UPLOAD_SESSIONS: "UploadSession",
    UPLOAD_TRACKS: "UploadTrack",
    JOBS: "Job",
    PUBLISH_JOBS: "PublishJob",
    PUBLICATIONS: "Publication",
    RENDITIONS: "Rendition",
    **{noun.collection: noun.type.__name__ for noun in NOUNS},
}


def status_of(refusal: Refusal, request: Descriptor | None = None) -> Status:
    """The answer to a refused call.

    ``request`` is the type of the request, in which the wrong fields are looked up.
    """
    info = ErrorInfo(reason=refusal.reason, domain=DOMAIN)
    within, cause = "", refusal
    if isinstance(refusal, OperationRefused):
        info.metadata["index"] = str(refusal.index)
        within, cause = f"{OPERATIONS}[{refusal.index}].", refusal.refusal
        request = request and request.fields_by_name[OPERATIONS].message_type
    info.metadata.update(_named(cause))
    code = StatusCode[answer(refusal).grpc]
    return _status(code, refusal.detail, info, *_details(cause, request, within))


def internal_status() -> Status:
    """The answer to a call that met a fault of ours: it says nothing about the fault."""
    info = ErrorInfo(reason=INTERNAL, domain=DOMAIN)
    return _status(StatusCode.INTERNAL, "The service failed.", info)


def unknown_method_status(method: str) -> Status:
    """The answer to a call of a method that there is not."""
    info = ErrorInfo(reason=METHOD_UNKNOWN, domain=DOMAIN, metadata={"method": method})
    return _status(StatusCode.UNIMPLEMENTED, f"There is no method {method}.", info)


def field_path(request: Descriptor | None, field: str) -> str:
    """Where a field of the core is in a request: itself, or in the resource that it carries."""
    if request is None or field in request.fields_by_name:
        return field
    for carrier in request.fields:
        resource = carrier.message_type
        if resource is not None and field in resource.fields_by_name:
            return f"{carrier.name}.{field}"
    return field


def _named(refusal: Refusal) -> dict[str, str]:
    """What the message names, for programs that should not have to read it."""
    match refusal:
        case ScopeMissing():
            return {"scope": refusal.scope}
        case NotFound() | RelatedNotFound():
            return {"resource": f"{refusal.kind}/{refusal.id}"}
        case StateConflict(status=status) if status:
            return {"status": status}
        case _:
            return {}


def _details(refusal: Refusal, request: Descriptor | None, within: str) -> Iterator[Message]:
    if violations := list(_violations(refusal, request, within)):
        yield BadRequest(field_violations=violations)
    if isinstance(refusal, (NotFound, RelatedNotFound)):
        yield ResourceInfo(
            resource_type=f"{DOMAIN}/{_type_of(refusal)}",
            resource_name=f"{refusal.kind}/{refusal.id}",
            description=refusal.detail,
        )
    if (pause := _retry_after(refusal)) is not None:
        delay = Duration()
        delay.FromTimedelta(pause)
        yield RetryInfo(retry_delay=delay)


def _type_of(refusal: NotFound | RelatedNotFound) -> str:
    """The type of a resource, or of the one below it that its id goes on with (AIP-156)."""
    _, _, singleton = refusal.id.partition("/")
    return singleton[:1].upper() + singleton[1:] or _TYPES[refusal.kind.rpartition("/")[2]]


def _retry_after(refusal: Refusal) -> timedelta | None:
    if isinstance(refusal, RateLimited):
        return refusal.retry_after
    return RETRY_AFTER if isinstance(refusal, Unavailable) else None


def _violations(
    refusal: Refusal, request: Descriptor | None, within: str
) -> Iterator[BadRequest.FieldViolation]:
    match refusal:
        case InvalidFields():
            found = [(v.field, v.code, v.detail, v.member) for v in refusal.violations]
        case InvalidQuery():
            found = [(refusal.parameter, "invalid", refusal.detail, None)]
        case RelatedNotFound():
            found = [(refusal.field, "not_found", refusal.detail, None)]
        case _:
            found = []
    for field, code, detail, member in found:
        path = within + field_path(request, field) + _key(member)
        yield BadRequest.FieldViolation(field=path, reason=code.upper(), description=detail)


def _key(member: str | None) -> str:
    """A key of a map at the end of a path (AIP-161), as much of it as an answer has room for."""
    if member is None:
        return ""
    plain = _PLAIN_KEY.fullmatch(member) is not None
    return f".{member}" if plain else f".`{member[:MAX_KEY]}`"


def _status(code: StatusCode, message: str, *details: Message) -> Status:
    number: int = code.value[0]
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    return Status(code=number, message=message, details=packed)
