"""How many commands of each stage may wait in the broker.

What waits there is taken in its order, so that whoever comes next waits behind it: few wait, and
the rest stay in the database, where turns are taken. A queue that runs empty in no time may be
longer the next time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final

from services.api.domain.lifecycle import Stage
from shared.bus import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.bus.bus import Bus

LEAST: Final = 16
MOST: Final = 256
# An older look says nothing about how fast a queue is emptied.
_NO_TIME: Final = 1.0


@dataclass(slots=True)
class Window:
    """That of one stage; ``waiting`` may be fewer than was seen and sent since."""

    clock: Callable[[], float] = monotonic
    size: int = LEAST
    waiting: int = 0
    _seen_at: float = field(default=float("-inf"), init=False)

    @property
    def room(self) -> int:
        """How many may be sent."""
        return max(self.size - self.waiting, 0)

    def see(self, waiting: int) -> None:
        """Look at how many wait."""
        now = self.clock()
        if now - self._seen_at > _NO_TIME or waiting > self.size // 2:
            self.size = max(self.size // 2, LEAST)
        elif waiting == 0:
            self.size = min(self.size * 2, MOST)
        self.waiting, self._seen_at = waiting, now


@dataclass(slots=True)
class Windows:
    """Those of all stages."""

    bus: Bus
    _of: dict[Stage, Window] = field(
        default_factory=lambda: {stage: Window() for stage in Stage}, init=False
    )

    def rooms(self) -> dict[Stage, int]:
        """How many commands of each stage may be sent."""
        return {stage: window.room for stage, window in self._of.items()}

    def sent(self, stages: Iterable[Stage]) -> None:
        """Note the stage of each command that was sent."""
        for stage in stages:
            self._of[stage].waiting += 1

    async def look(self, stages: Iterable[Stage]) -> bool:
        """See what still waits; says whether there is room. Raises BusUnavailable, BusClosed."""
        for stage in stages:
            self._of[stage].see(await self.bus.waiting(streams.WORK, stage.value))
        return any(self._of[stage].room for stage in stages)
