"""Subscriptions to events, and their deliveries: who is told, how often it is tried.

The schedule is that of Standard Webhooks 1.0.0, "Reliability".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from services.api.domain.lifecycle import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

MAX_SUBSCRIPTIONS: Final = 50
"""How many a tenant may have: every event is matched with all of them."""

PING: Final = "stagedoor.ping"
EVENT_TYPES: Final = (
    *(f"stagedoor.import_task.{status}" for status in Status),
    "stagedoor.import_task.deleted",
)
"""The types of events that there are, as the events on NATS carry them."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with
SECRET_BYTES: Final = 32
ROTATION: Final = timedelta(hours=24)
"""How long a secret that was rotated out still signs."""

DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The waits before the second attempt and those after it."""
LONGEST_DELAY: Final = timedelta(hours=24)
JITTER: Final = 0.2
"""A wait is longer than its entry by up to this share of it."""
FAILING_FOR: Final = timedelta(days=5)
"""After so long without one success a subscription is disabled."""

_PATTERN = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:\.\*)?", re.ASCII)
_MAIL = "mailto"


class DisabledReason(StrEnum):
    """Why nothing is sent: somebody wished it, the receiver did (410), or it fails for days."""

    ASKED = "asked"
    GONE = "gone"
    FAILING = "failing"


class DeliveryState(StrEnum):
    """A delivery is pending until it succeeded or the last attempt failed."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who wants to be told of which events; ``event_types`` are exact or ``prefix.*``, () is all.

    ``target`` is a canonical ``https://…`` or ``mailto:…``. ``disabled_reason`` is None while it
    is enabled; ``failing_since`` is the first failure after the last success.
    """

    id: UUID
    tenant: str
    target: str
    event_types: tuple[str, ...]
    description: str
    version: int
    created_at: datetime
    updated_at: datetime
    disabled_reason: DisabledReason | None = None
    failing_since: datetime | None = None

    @property
    def enabled(self) -> bool:
        """Whether events are sent."""
        return self.disabled_reason is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to one target; ``event_id`` is the webhook-id of every attempt.

    ``subscription_id`` is None for a target that somebody named for one event only. ``due_at`` is
    None when it is final, and while the subscription is disabled. ``last_error`` is a stable code.
    """

    id: UUID
    tenant: str
    subscription_id: UUID | None
    target: str
    event_id: UUID
    event_type: str
    state: DeliveryState
    created_at: datetime
    due_at: datetime | None = None
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    last_tried_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, as receivers get it: ``body`` is JSON, the same for all of them."""

    id: UUID
    type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A delivery that somebody took: what to send where, signed with every one of the secrets.

    ``taken_until`` is when another may take it; it tells one taking from the next. ``asked`` is
    whether it is a ping or a replay. A subscription's ``secrets`` are () when no key opens them,
    those of a target for one event are None.
    """

    id: UUID
    taken_until: datetime
    subscription_id: UUID | None
    target: str
    event_id: UUID
    event_type: str
    body: bytes
    attempts: int
    asked: bool
    secrets: tuple[bytes, ...] | None = field(repr=False)

    @property
    def host(self) -> str:
        """Whose time it takes: see ``host_of``."""
        return host_of(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt; ``error`` is a stable code, None for success.

    ``status`` is what HTTP or SMTP answered. A ``permanent`` failure is not tried again; after
    ``gone`` the receiver wants nothing more.
    """

    error: str | None = None
    status: int | None = None
    retry_after: timedelta | None = None
    permanent: bool = False
    gone: bool = False


def event_body(event_type: str, at: datetime, data: Mapping[str, object]) -> bytes:
    """An event as receivers get it (Standard Webhooks, "Payload structure")."""
    whole = {"type": event_type, "timestamp": at.isoformat(), "data": data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def host_of(target: str) -> str:
    """The host that a delivery keeps busy; all mail goes by one server."""
    parts = urlsplit(target)
    return _MAIL if parts.scheme == _MAIL else parts.hostname or ""


def is_mail(target: str) -> bool:
    """Whether a target is a mail address."""
    return target.startswith(f"{_MAIL}:")


def is_event_type(pattern: str) -> bool:
    """Whether there are events that a type or ``prefix.*`` stands for."""
    return bool(_PATTERN.fullmatch(pattern)) and any(
        matches((pattern,), event_type) for event_type in EVENT_TYPES
    )


def matches(event_types: Collection[str], event_type: str) -> bool:
    """Whether a subscription to these types is told of an event; the empty one is of all."""
    return not event_types or any(
        event_type.startswith(pattern[:-1]) if pattern.endswith(".*") else event_type == pattern
        for pattern in event_types
    )


def retry_delay(
    attempts: int, outcome: Outcome, share: float, scale: float = 1.0
) -> timedelta | None:
    """The wait after so many failed attempts, None after the last one.

    ``share``, from 0 to 1, says how much of the jitter it gets; ``scale`` stretches the schedule. A
    receiver that asks for more time gets it, up to a day.
    """
    if outcome.permanent or outcome.gone or attempts > len(DELAYS):
        return None
    planned = DELAYS[attempts - 1] * (1 + JITTER * share) * scale
    return max(planned, min(outcome.retry_after or timedelta(), LONGEST_DELAY))
