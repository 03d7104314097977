"""Why something was refused; every door renders these in its own dialect.

Refusal
├── InvalidFields       one or more values are wrong, each a Violation
├── InvalidQuery        a page, filter or token is wrong
├── NotFound            no such resource for this caller
├── RelatedNotFound     a resource that the request names does not exist
├── StateConflict       the task's status does not allow this
├── InUse               something still depends on it
├── TooManySubscriptions  the tenant may have no more of them
├── QuotaExceeded       the tenant may store no more
├── EtagMismatch        somebody else changed it meanwhile
├── KeyReused           the idempotency key stands for another request
├── OperationRefused    one of several operations was refused, and so all
├── RateLimited         too many requests
├── Unauthenticated     no token that is good
├── ScopeMissing        the token may not do this
└── Unavailable         cannot be answered now, try again
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import timedelta


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """The request was refused."""

    reason: ClassVar[str] = "INTERNAL"

    @property
    def detail(self) -> str:
        """One sentence for the client."""
        return str(self) or (type(self).__doc__ or "").splitlines()[0]


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong value.

    ``field`` is the core's name (source_uri, isrc, declared_md5, target, title); ``code`` is one of
    required, invalid, too_long, taken, not_https, address_refused, port_refused, header_refused,
    mail_unavailable;
    ``detail`` says what would be right. ``member`` names a part of the field: a header field.
    """

    field: str
    code: str
    detail: str
    member: str | None = None


class InvalidFields(Refusal):
    """One or more fields are wrong."""

    reason = "INVALID_FIELD"

    def __init__(self, *violations: Violation) -> None:
        """Take every violation that was found, in the order of the document."""
        super().__init__(" ".join(v.detail for v in violations))
        self.violations = violations
        if any(v.code == "taken" for v in violations):
            self.reason = "ISRC_TAKEN"  # type: ignore[misc] # the one violation with a name of its own


class InvalidQuery(Refusal):
    """A query parameter is wrong."""

    reason = "INVALID_QUERY"

    def __init__(self, parameter: str, detail: str) -> None:
        """Name the parameter as the core does: page_size, page_token, skip, filter."""
        super().__init__(detail)
        self.parameter = parameter


class NotFound(Refusal):
    """There is no such resource."""

    reason = "NOT_FOUND"

    def __init__(self, kind: str, id_: object) -> None:
        """Take the collection (importTasks, tracks, records) and the id."""
        super().__init__(f"There is no {kind}/{id_}.")
        self.kind = kind
        self.id = str(id_)


class RelatedNotFound(Refusal):
    """A resource that the request names does not exist."""

    reason = "RELATED_NOT_FOUND"

    def __init__(self, field: str, kind: str, id_: object) -> None:
        """Take the field that names it, its collection and its id."""
        super().__init__(f"There is no {kind}/{id_}.")
        self.field = field
        self.kind = kind
        self.id = str(id_)


class StateConflict(Refusal):
    """The state of the resource does not allow this."""

    reason = "STATE_CONFLICT"

    def __init__(self, detail: str = "", status: str = "") -> None:
        """Take what to say, and the status that forbids it if there is one."""
        super().__init__(detail)
        self.status = status


class InUse(Refusal):
    """The resource is still in use."""

    reason = "IN_USE"


class TooManySubscriptions(Refusal):
    """The tenant may have no more subscriptions. Delete one first."""

    reason = "TOO_MANY_SUBSCRIPTIONS"


class QuotaExceeded(Refusal):
    """There is no room for this within the bytes that may be stored."""

    reason = "QUOTA_EXCEEDED"


class EtagMismatch(Refusal):
    """The resource has changed since it was read. Read it again."""

    reason = "ETAG_MISMATCH"


class KeyReused(Refusal):
    """The idempotency key was used for another request."""

    reason = "REQUEST_ID_REUSED"


class OperationRefused(Refusal):
    """One of several operations was refused, and so all of them."""

    def __init__(self, index: int, refusal: Refusal) -> None:
        """Take which one, from 0, and why."""
        super().__init__(refusal.detail)
        self.index = index
        self.refusal = refusal
        self.reason = refusal.reason  # type: ignore[misc] # that of the operation


class RateLimited(Refusal):
    """Too many requests. Try again later."""

    reason = "RATE_LIMITED"

    def __init__(self, retry_after: timedelta) -> None:
        """Take when the next request will be answered."""
        super().__init__()
        self.retry_after = retry_after


class Unauthenticated(Refusal):
    """The token is missing, unknown, expired or revoked."""

    reason = "UNAUTHENTICATED"


class ScopeMissing(Refusal):
    """The token lacks a scope."""

    reason = "SCOPE_MISSING"

    def __init__(self, scope: str) -> None:
        """Take the scope that would be needed."""
        super().__init__(f"The token lacks the scope {scope}.")
        self.scope = scope


class Unavailable(Refusal):
    """The service cannot answer now. Try again."""

    reason = "UNAVAILABLE"


class WrongTables(Unavailable):
    """This version cannot work with the tables as they are."""
