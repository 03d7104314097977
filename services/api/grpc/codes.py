"""Reasons to gRPC codes: the one table (AIP-193)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grpc import StatusCode

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN: Final = "stagedoor.dev"
INTERNAL: Final = "INTERNAL"

CODES: Final[Mapping[str, StatusCode]] = {
    "INVALID_FIELD": StatusCode.INVALID_ARGUMENT,
    "INVALID_QUERY": StatusCode.INVALID_ARGUMENT,
    "NOT_FOUND": StatusCode.NOT_FOUND,
    "RELATED_NOT_FOUND": StatusCode.NOT_FOUND,
    "ISRC_TAKEN": StatusCode.ALREADY_EXISTS,
    "STATE_CONFLICT": StatusCode.FAILED_PRECONDITION,
    "IN_USE": StatusCode.FAILED_PRECONDITION,
    "UNAUTHENTICATED": StatusCode.UNAUTHENTICATED,
    "SCOPE_MISSING": StatusCode.PERMISSION_DENIED,
    "UNAVAILABLE": StatusCode.UNAVAILABLE,
    INTERNAL: StatusCode.INTERNAL,
}
