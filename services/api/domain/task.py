"""The import task as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.domain.work import Claim, Finding, Progress, Work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from services.api.domain.lifecycle import Status

__all__ = [
    "DOLBY_ATMOS",
    "MASTER_TYPES",
    "Claim",
    "Finding",
    "Master",
    "Progress",
    "Target",
    "Task",
]

DOLBY_ATMOS = "dolby_atmos"
MASTER_TYPES = (
    DOLBY_ATMOS,
    "cd",
    "hd",
    "apple_motion_art_desktop",
    "apple_motion_art_mobile",
    "subtitles",
    "audio_track",
)
PRECISIONS: Mapping[str, int] = {DOLBY_ATMOS: 24, "cd": 16, "hd": 24}
"""Bits of a sample, of the master types that ask for some: the validator lets no other pass."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a record is linked to: a collection and an id in it."""

    type: str
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """Bytes that were fetched: where they are, how many, their MD5."""

    blob_key: str
    size_bytes: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Work):
    """One wish to import one master, with the state of its present generation.

    ``version`` grows with every change but progress; ``delivery_profile`` is None for the tenant's;
    ``has_report`` says that there is a validation report of the present generation; ``number`` is
    an integer beside the id, the only one among its tenant's tasks, None for what a version before
    numbers made; ``source_upload_id`` is the upload whose bytes it imports, in the place of a
    source's. ``precision`` is how many bits its client said that a sample has. ``product_id`` and
    ``distributor_id`` are those that the target is or belongs to, kept along with the catalogue so
    that no list by them has to search.
    """

    master_type: str
    source_uri: str | None
    isrc: str | None
    target: Target | None
    declared_md5: str | None
    status: Status
    master: Master | None = None
    format: Mapping[str, object] | None = None
    record_id: UUID | None = None
    delivery_profile: str | None = None
    has_report: bool = False
    number: int | None = None
    source_upload_id: UUID | None = None
    precision: int | None = None
    product_id: UUID | None = None
    distributor_id: UUID | None = None
