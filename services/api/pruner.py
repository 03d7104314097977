"""Removes, by and by, what is kept for a while only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter

from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from services.api.use_cases.retention import Retention

EVERY_SECONDS = 600.0

PRUNED: Final = Counter("stagedoor_pruned", "Rows removed by age.", ("kind",))

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pruner:
    """The one who removes."""

    retention: Retention

    async def run(self) -> None:
        """Remove for ever; a database that is away only delays it."""
        while True:
            try:
                pruned = await self.retention.prune()
            except Unavailable as error:
                _log.warning("pruning_delayed", error=repr(error))
            else:
                for kind, number in pruned.items():
                    PRUNED.labels(kind).inc(number)
            await asyncio.sleep(EVERY_SECONDS)
