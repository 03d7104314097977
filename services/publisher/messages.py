"""What the worker and its child say to each other, as JSON lines, and what the child may use."""

from __future__ import annotations

import msgspec

from services.publisher.errors import Code
from services.publisher.order import Order
from shared.sandbox.limits import ChildLimits, ChildRequest


class Limits(ChildLimits, frozen=True, kw_only=True):
    """What one transcoding may use.

    Measured with eight channels and seven formats: 351 MiB of addresses and 82 MiB of memory
    however long the master is, and eight seconds of processor time for a minute of sound.
    ``file_bytes`` is the most that one rendition may take.
    """

    memory_bytes: int = 1 << 30
    resident_bytes: int = 512 << 20
    cpu_seconds: int = 7_200
    wall_seconds: float = 14_400.0
    file_bytes: int = 16 << 30


class Request(ChildRequest, frozen=True, kw_only=True):
    """The master, and the file that each format of the order goes to; none of them is there yet."""

    path: str
    order: Order
    outputs: tuple[str, ...]


class Progressed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """So many frames of the master are done, of so many if that is known."""

    done: int
    total: int | None


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It cannot be done, as in TranscodeError."""

    code: Code
    detail: str
