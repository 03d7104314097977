"""Waiting between tries while something that the API needs is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

FIRST_SECONDS: Final = 0.2
LONGEST_SECONDS: Final = 5.0


@dataclass(slots=True)
class Pause:
    """A wait that doubles with every trouble in a row."""

    _seconds: float = field(default=FIRST_SECONDS, init=False)

    @property
    def in_trouble(self) -> bool:
        """Whether all has not been well since the last wait."""
        return self._seconds != FIRST_SECONDS

    async def wait(self) -> None:
        """Wait, and longer the next time."""
        seconds, self._seconds = self._seconds, min(self._seconds * 2, LONGEST_SECONDS)
        await asyncio.sleep(seconds)

    def reset(self) -> None:
        """All is well again: start small the next time."""
        self._seconds = FIRST_SECONDS
