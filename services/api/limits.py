"""How much one caller may ask for: a token bucket for each, kept in this process.

The bucket is written as the generic cell rate algorithm (ITU-T I.371): one moment for each caller,
that at which the bucket will be full again.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.domain.principal import Principal

WINDOW_SECONDS = 60
MAX_CALLERS = 10_000
"""How many callers are remembered; the one that was silent for longest is forgotten first."""

FAULTS = Counter("stagedoor_rate_limiter_faults", "Requests let through because the limiter broke.")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a request may be answered, and how many more.

    ``limit`` and ``remaining`` count requests. ``reset_seconds`` is rounded up: when not allowed,
    until the next request will be; otherwise until all of ``limit`` are there again.
    """

    limit: int
    remaining: int
    reset_seconds: int
    allowed: bool


class RateLimiter:
    """A token bucket for each principal: ``rate`` come in each window, at most ``burst`` are kept.

    A caller is a tenant and a token, whichever door they use. It fails open: a limiter that breaks
    must not close the service.
    """

    def __init__(
        self,
        rate: int,
        burst: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        window: float = WINDOW_SECONDS,
    ) -> None:
        """``burst`` is ``rate`` by default, ``window`` a minute; that and ``clock`` in seconds."""
        self.limit = burst or rate
        self._interval = window / rate
        self._clock = clock
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def take(self, principal: Principal) -> Allowance:
        """Take one request out of the caller's bucket, if there is one; never raises."""
        try:
            return self._take((principal.tenant, principal.token_id))
        except Exception:  # noqa: BLE001 - fails open, whatever broke
            FAULTS.inc()
            _log.exception("rate_limiter_failed")
            return Allowance(self.limit, self.limit, 0, allowed=True)

    def _take(self, caller: tuple[str, str]) -> Allowance:
        now = self._clock()
        full_at = max(self._full_at.get(caller, now), now) + self._interval
        left = round(self.limit - (full_at - now) / self._interval, 6)
        if left < 0:
            return Allowance(self.limit, 0, math.ceil(-left * self._interval), allowed=False)
        self._remember(caller, full_at)
        remaining, reset = math.floor(left), math.ceil(full_at - now)
        return Allowance(self.limit, remaining, reset, allowed=True)

    def _remember(self, caller: tuple[str, str], full_at: float) -> None:
        self._full_at[caller] = full_at
        self._full_at.move_to_end(caller)
        if len(self._full_at) > MAX_CALLERS:
            self._full_at.popitem(last=False)
