"""Runs publish jobs that are to be run by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from services.api.use_cases.publish_jobs import PublishJobs

POLL_SECONDS: Final = 5.0
BATCH: Final = 20

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Autopublisher:
    """The one who runs them; when is in their rows."""

    jobs: PublishJobs

    async def run(self) -> None:
        """Run them for ever; a database that is away only delays it."""
        while True:
            try:
                found = await self.jobs.run_due(BATCH)
            except Unavailable as error:
                _log.warning("autopublishing_delayed", error=repr(error))
                found = 0
            if not found:
                await asyncio.sleep(POLL_SECONDS)
