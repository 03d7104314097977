"""Whether the store has the bytes that the database names, and what else it has."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from services.api.use_cases.blobs import Blobs
from services.api.use_cases.named import UNREADABLE, Finding, all_named, check, is_needed
from shared.blobs.base import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.db.executor import Executor
    from services.api.db.named_rows import Named
    from shared.blobs.base import BlobStore

SETTLED = timedelta(hours=1)
"""What was written to since may belong to a run that is still going on."""
BATCH = 500
MAX_UNREADABLE = 5
"""So many in a row, and it is the store that is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is looked at: of one tenant or all, records made since a moment or all.

    ``rate`` is how many bytes a second are read at most; 0 is any number.
    """

    tenant: str | None = None
    since: datetime | None = None
    rate: int = 0


@dataclass(slots=True)
class Sums:
    """How much was looked at, and how much of it was found."""

    checked: int = 0
    bytes: int = 0
    wrong: int = 0
    unnamed: int = 0


@dataclass(slots=True)
class Pace:
    """Keeps reading below so many bytes a second."""

    rate: int
    _since: float = field(default_factory=time.monotonic)
    _read: int = 0

    async def wait(self, size: int) -> None:
        """Wait after so many bytes more."""
        self._read += size
        if self.rate:
            ahead = self._read / self.rate - (time.monotonic() - self._since)
            await asyncio.sleep(max(0.0, ahead))


@dataclass(slots=True)
class Verification:
    """One pass over everything, beside a stack that may be running."""

    executor: Executor
    store: BlobStore
    scope: Scope
    sums: Sums = field(default_factory=Sums)

    async def run(self) -> AsyncIterator[Finding]:
        """Give what is found, as it is found. Raises StoreUnavailable, Unavailable."""
        unreadable, pace = 0, Pace(self.scope.rate)
        async for named in all_named(self.executor, self.scope.tenant, self.scope.since):
            finding = await self._check(named, pace)
            self.sums.checked += 1
            unreadable = unreadable + 1 if finding and finding.kind == UNREADABLE else 0
            if unreadable == MAX_UNREADABLE:
                raise StoreUnavailable("The store cannot be read.")
            if finding is not None:
                self.sums.wrong += 1
                yield finding
        async for finding in self._unnamed():
            self.sums.unnamed += 1
            yield finding

    async def _check(self, named: Named, pace: Pace) -> Finding | None:
        """What is wrong with the bytes of a name, unless nobody needs them any more."""

        async def take(chunk: bytes) -> None:
            self.sums.bytes += len(chunk)
            await pace.wait(len(chunk))

        finding = await check(self.store, named, take)
        if finding is None or not await is_needed(self.executor, named):
            return None
        return finding

    async def _unnamed(self) -> AsyncIterator[Finding]:
        """What the store has and nobody names."""
        before, batch = datetime.now(UTC) - SETTLED, dict[str, int]()
        async for info in self.store.keys(self.scope.tenant or ""):
            if info.modified < before:
                batch[info.key] = info.size
            if len(batch) == BATCH:
                async for finding in self._unknown(batch):
                    yield finding
                batch.clear()
        async for finding in self._unknown(batch):
            yield finding

    async def _unknown(self, batch: dict[str, int]) -> AsyncIterator[Finding]:
        for key in sorted(await Blobs(self.executor).unknown(batch) if batch else ()):
            yield Finding("unnamed", key, None, f"{batch[key]} bytes")
