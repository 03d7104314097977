"""What there is beside tasks: the catalogue, records, settings, the log of who did what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.api.domain.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from services.api.domain.task import Finding, Master, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What every noun of the catalogue has; see nouns.py.

    ``number`` is an integer beside the id, the only one of its tenant and noun; None for what a
    version before numbers made. ``version`` grows with every change.
    """

    id: UUID
    tenant: str
    version: int
    created_at: datetime
    updated_at: datetime
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributor(Item):
    """Who brings products to the stores."""

    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(Item):
    """What is sold as one thing, such as an album."""

    title: str
    support_number: str | None = None
    distributor_id: UUID | None = None
    cover_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection(Item):
    """What tracks are gathered in."""

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator(Item):
    """Who made something."""

    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Track(Item):
    """What a master belongs to; ``isrc`` and ``stereo_duration`` are of its stereo recording.

    ``index`` is its place in its collection and ``path`` its key there, ``organization_index`` its
    number in an organization's own order, all as they were given.
    """

    title: str
    isrc: str | None = None
    stereo_duration: timedelta | None = None
    support_number: str | None = None
    product_id: UUID | None = None
    collection_id: UUID | None = None
    index: str | None = None
    path: str | None = None
    organization_index: str | None = None
    metadata: Mapping[str, Any] | None = None
    cover_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Video(Item):
    """A moving picture of a product."""

    title: str
    support_number: str | None = None
    product_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetAttachment(Item):
    """Something that goes along with a product, such as its moving cover."""

    title: str
    support_number: str | None = None
    product_id: UUID | None = None


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

    The ``contact_email`` is told when publish jobs end that name nobody else; uploads that name no
    master type have the ``upload_master_type``.

    The ``storage`` is not its choice: the operator sets the quota.
    """

    tenant: str
    delivery_profile: str | None = None
    contact_email: str | None = None
    upload_master_type: str | None = None
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
