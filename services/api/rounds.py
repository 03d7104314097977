"""Work in rounds, for ever: woken by commits, polling as the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from services.api.domain.errors import Unavailable
from services.api.pause import Pause
from shared.bus.errors import BusUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from services.api.signals import Subscription

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Rounds:
    """The rounds of one loop. ``trouble`` is what the log says while what they need is away."""

    trouble: str
    _pause: Pause = field(default_factory=Pause, init=False)

    @property
    def delayed(self) -> bool:
        """Whether the last round was in vain."""
        return self._pause.in_trouble

    async def run(
        self, round_: Callable[[], Awaitable[bool]], woken: Subscription, poll: timedelta
    ) -> None:
        """Do rounds; the next follows at once when a round says that there may be more.

        Raises what a round raises, but BusUnavailable and Unavailable.
        """
        while True:
            try:
                more = await round_()
            except (BusUnavailable, Unavailable) as error:
                _log.warning(self.trouble, error=repr(error))
                await self._pause.wait()
                continue
            self._pause.reset()
            if not more:
                await woken.wait(poll.total_seconds())
