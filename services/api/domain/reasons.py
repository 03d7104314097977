"""What each refusal is at the doors: the one table of gRPC codes and HTTP statuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.domain import errors

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """The name of a gRPC status code, and an HTTP status."""

    grpc: str
    http: int


ANSWERS: Mapping[type[errors.Refusal], Answer] = {
    errors.InvalidFields: Answer("INVALID_ARGUMENT", 422),
    errors.InvalidQuery: Answer("INVALID_ARGUMENT", 400),
    errors.NotFound: Answer("NOT_FOUND", 404),
    errors.RelatedNotFound: Answer("NOT_FOUND", 404),
    errors.StateConflict: Answer("FAILED_PRECONDITION", 409),
    errors.InUse: Answer("FAILED_PRECONDITION", 409),
    errors.TooManySubscriptions: Answer("FAILED_PRECONDITION", 409),
    errors.QuotaExceeded: Answer("RESOURCE_EXHAUSTED", 507),
    errors.EtagMismatch: Answer("ABORTED", 412),
    errors.KeyReused: Answer("INVALID_ARGUMENT", 422),
    errors.RateLimited: Answer("RESOURCE_EXHAUSTED", 429),
    errors.Unauthenticated: Answer("UNAUTHENTICATED", 401),
    errors.ScopeMissing: Answer("PERMISSION_DENIED", 403),
    errors.Unavailable: Answer("UNAVAILABLE", 503),
    errors.WrongTables: Answer("UNAVAILABLE", 503),
}

ISRC_TAKEN = Answer("ALREADY_EXISTS", 422)
"""InvalidFields whose reason is ISRC_TAKEN."""


def answer(refusal: errors.Refusal) -> Answer:
    """What a refusal is at the doors; that of the operation for one of several."""
    if isinstance(refusal, errors.OperationRefused):
        return answer(refusal.refusal)
    return ISRC_TAKEN if refusal.reason == "ISRC_TAKEN" else ANSWERS[type(refusal)]
