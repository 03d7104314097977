"""How long things are kept that nobody is served any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Age = timedelta | None
"""None is for ever."""

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long each kind is kept at least.

    ``tasks`` are failed ones without a valid record, by their last change; ``superseded`` the
    bytes of records that were replaced; ``keys`` those of idempotent requests; ``deliveries`` those
    of webhooks and mails that have ended.
    """

    tasks: Age = None
    superseded: Age = timedelta(0)
    keys: Age = timedelta(days=1)
    tombstones: Age = timedelta(days=7)
    audit: Age = timedelta(days=400)
    dead_letters: Age = timedelta(days=90)
    deliveries: Age = timedelta(days=30)


def end_of(age: Age, since: datetime) -> datetime:
    """When what is kept for so long since a moment may go."""
    return NEVER if age is None else since + age
