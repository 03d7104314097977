"""Removes, by and by, what is kept for a while only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from services.api.use_cases.retention import Retention

EVERY_SECONDS = 600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pruner:
    """The one who removes."""

    retention: Retention

    async def run(self) -> None:
        """Remove for ever; a database that is away only delays it."""
        while True:
            try:
                await self.retention.prune()
            except Unavailable as error:
                _log.warning("pruning_delayed", error=repr(error))
            await asyncio.sleep(EVERY_SECONDS)
