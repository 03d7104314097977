"""How long and how much: the bounds of one download."""

from __future__ import annotations

from dataclasses import dataclass

from services.downloader.errors import Transient

MEBIBYTE = 1024**2
GIBIBYTE = 1024**3
# What a download may hold in memory besides its ring of buffers: 32 MB in all.
WINDOW_BYTES = 28 * MEBIBYTE


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one download. There is no limit on its whole time: the run has a deadline.

    Less than ``low_speed_bytes`` in ``low_speed_seconds`` of waiting is a stall.
    ``fruitless_attempts`` bounds the consecutive attempts of a run that brought no new byte; the
    wait before the n-th is random, up to ``backoff_seconds`` times 2 to the n.
    """

    max_bytes: int = 64 * GIBIBYTE
    connect_seconds: float = 10.0
    header_seconds: float = 30.0
    stall_seconds: float = 30.0
    low_speed_bytes: int = 600 * 1024
    low_speed_seconds: float = 60.0
    fruitless_attempts: int = 5
    backoff_seconds: float = 0.5


@dataclass(frozen=True, kw_only=True)
class RangeLimits:
    """When a file comes by several connections, and in what pieces.

    One stream is tried for ``trial_seconds``; it stays the only one if the file has less than
    ``from_bytes`` or the origin already sends ``enough_rate`` bytes a second, about as much as can
    be hashed and stored. Then up to ``connections`` at once each fetch ``segment_bytes`` at a time,
    which bounds memory to the product.
    """

    connections: int = 6
    segment_bytes: int = 4 * MEBIBYTE
    from_bytes: int = 64 * MEBIBYTE
    enough_rate: float = 200e6
    trial_seconds: float = 1.0


class SpeedGauge:
    """Notices an origin that drips: counts bytes against the time spent waiting for them.

    The time that we take to store the bytes is not held against the origin.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waited = 0.0
        self._bytes = 0

    def count(self, size: int, waited_seconds: float) -> None:
        """Count bytes. Raises Transient ``stalled`` at the end of a window that is too slow."""
        self._waited += waited_seconds
        self._bytes += size
        if self._waited >= self._limits.low_speed_seconds:
            if self._bytes < self._limits.low_speed_bytes:
                raise Transient("stalled", "The origin sends too slowly.")
            self._waited, self._bytes = 0.0, 0
