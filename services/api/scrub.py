"""Deletes bytes that nothing names: at once those written down, and by and by those forgotten.

A run that died after it stored its bytes, and never reported them, leaves a key that the database
does not know. Such a key is deleted only at an age at which no run can still be going to report it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from services.api import signals
from services.api.domain.errors import Unavailable
from shared.blobs.base import BlobError
from shared.failpoints import reach

if TYPE_CHECKING:
    from services.api.signals import Signals
    from services.api.use_cases.blobs import Blobs
    from shared.blobs.base import BlobStore

BATCH = 100
POLL_SECONDS = 60.0
SWEEP_EVERY = timedelta(hours=6)
SAFE_AGE = timedelta(days=2)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scrub:
    """The one who deletes."""

    blobs: Blobs
    store: BlobStore
    signals: Signals

    async def run(self) -> None:
        """Delete for ever; a store or database that is away only delays it."""
        next_sweep = datetime.now(UTC)
        with self.signals.subscribe(signals.DOOMED) as doomed:
            while True:
                try:
                    await self.delete_doomed()
                    if datetime.now(UTC) >= next_sweep:
                        await self.sweep(SAFE_AGE)
                        next_sweep = datetime.now(UTC) + SWEEP_EVERY
                except (BlobError, OSError, Unavailable) as error:
                    _log.warning("scrub_delayed", error=type(error).__name__)
                await doomed.wait(POLL_SECONDS)

    async def delete_doomed(self) -> int:
        """Delete what was written down; gives how many keys."""
        deleted = 0
        while keys := await self.blobs.doomed(BATCH):
            for key in keys:
                await self._delete(key)
            reach("scrub.deleted")
            await self.blobs.forget(keys)
            deleted += len(keys)
        return deleted

    async def _delete(self, key: str) -> None:
        try:
            await self.store.delete(key)
        except ValueError as error:  # nothing can be there; those behind it must not wait for ever
            _log.warning("blob_key_invalid", error=str(error))

    async def sweep(self, age: timedelta) -> int:
        """Delete keys of at least this age that the database does not know; gives how many."""
        before = datetime.now(UTC) - age
        old: list[str] = []
        deleted = 0
        async for info in self.store.keys(""):
            if info.modified < before:
                old.append(info.key)
            if len(old) == BATCH:
                deleted += await self._delete_unknown(old)
                old.clear()
        return deleted + await self._delete_unknown(old)

    async def _delete_unknown(self, keys: list[str]) -> int:
        unknown = await self.blobs.unknown(keys) if keys else set()
        for key in unknown:
            _log.info("orphan_deleted", blob=key)
            await self.store.delete(key)
        return len(unknown)
