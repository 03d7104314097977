"""What the API and its child say to each other, as JSON, and what the child may use."""

from __future__ import annotations

import msgspec

from shared.sandbox.limits import ChildLimits, ChildRequest

MAX_SIDE = 10_000
"""Pixels; a picture of so many on each side is decoded in 300 MiB."""


class Limits(ChildLimits, frozen=True, kw_only=True):
    """What the reading of one picture may use."""

    memory_bytes: int = 1 << 30
    resident_bytes: int = 640 << 20
    cpu_seconds: int = 30
    wall_seconds: float = 120.0


class Request(ChildRequest, frozen=True, kw_only=True):
    """The picture, and how many pixels the sides of its thumbnail have at most."""

    path: str
    thumbnail_side: int


class Picture(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What it is; the sides are pixels, the ``thumbnail`` is a JPEG."""

    media_type: str
    width: int
    height: int
    thumbnail: bytes


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It is no picture, and why."""

    detail: str
