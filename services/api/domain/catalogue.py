"""What there is beside tasks: tracks, records of what was accepted, settings, who did what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.api.domain.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from services.api.domain.task import Finding, Master, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What a master belongs to; ``isrc`` and ``stereo_duration`` are of its stereo recording.

    ``version`` grows with every change.
    """

    id: UUID
    tenant: str
    title: str
    isrc: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    stereo_duration: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A master that was accepted; valid until ``superseded_at`` is set.

    ``report_generation`` is the generation of its task whose validation report is the record's too;
    None when there is no report.
    """

    id: UUID
    tenant: str
    task_id: UUID
    target: Target | None
    isrc: str | None
    master_type: str
    master: Master
    format: Mapping[str, object]
    problems: tuple[Finding, ...]
    created_at: datetime
    superseded_at: datetime | None = None
    report_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a tenant has chosen for all imports; ``updated_at`` is None while nobody has.

    The ``storage`` is not its choice: the operator sets the quota.
    """

    tenant: str
    delivery_profile: str | None = None
    version: int = 1
    updated_at: datetime | None = None
    storage: Storage = field(default_factory=Storage)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Something that somebody did; ``principal`` is a token's key id or a subject."""

    id: UUID
    tenant: str
    principal: str
    action: str
    resource: str
    address: str
    created_at: datetime
