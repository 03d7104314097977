"""Refusals as google.rpc.Status with its details (AIP-193)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status

from services.api.domain.errors import (
    InvalidFields,
    InvalidQuery,
    NotFound,
    RelatedNotFound,
    ScopeMissing,
    Unavailable,
)
from services.api.grpc.codes import CODES, DOMAIN, INTERNAL
from services.api.grpc.names import IMPORT_TASKS, RECORDS, TRACKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    from services.api.domain.errors import Refusal

RETRY_AFTER_SECONDS: Final = 1
_TYPES = {
    IMPORT_TASKS: "ImportTask",
    TRACKS: "Track",
    RECORDS: "Record",
}


def status_of(refusal: Refusal, request: Descriptor | None = None) -> Status:
    """The answer to a refused call.

    ``request`` is the type of the request, in which the wrong fields are looked up.
    """
    info = ErrorInfo(reason=refusal.reason, domain=DOMAIN)
    if isinstance(refusal, ScopeMissing):
        info.metadata["scope"] = refusal.scope
    return _status(refusal.reason, refusal.detail, info, *_details(refusal, request))


def internal_status() -> Status:
    """The answer to a call that met a fault of ours: it says nothing about the fault."""
    return _status(INTERNAL, "The service failed.", ErrorInfo(reason=INTERNAL, domain=DOMAIN))


def field_path(request: Descriptor | None, field: str) -> str:
    """Where a field of the core is in a request: itself, or in the resource that it carries."""
    if request is None or field in request.fields_by_name:
        return field
    for carrier in request.fields:
        resource = carrier.message_type
        if resource is not None and field in resource.fields_by_name:
            return f"{carrier.name}.{field}"
    return field


def _details(refusal: Refusal, request: Descriptor | None) -> Iterator[Message]:
    if violations := list(_violations(refusal, request)):
        yield BadRequest(field_violations=violations)
    if isinstance(refusal, (NotFound, RelatedNotFound)):
        yield ResourceInfo(
            resource_type=f"{DOMAIN}/{_TYPES[refusal.kind]}",
            resource_name=f"{refusal.kind}/{refusal.id}",
            description=refusal.detail,
        )
    if isinstance(refusal, Unavailable):
        yield RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS))


def _violations(
    refusal: Refusal, request: Descriptor | None
) -> Iterator[BadRequest.FieldViolation]:
    match refusal:
        case InvalidFields():
            found = [(v.field, v.code, v.detail) for v in refusal.violations]
        case InvalidQuery():
            found = [(refusal.parameter, "invalid", refusal.detail)]
        case RelatedNotFound():
            found = [(refusal.field, "not_found", refusal.detail)]
        case _:
            found = []
    for field, code, detail in found:
        yield BadRequest.FieldViolation(
            field=field_path(request, field), reason=code.upper(), description=detail
        )


def _status(reason: str, message: str, *details: Message) -> Status:
    number: int = CODES[reason].value[0]
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    return Status(code=number, message=message, details=packed)
