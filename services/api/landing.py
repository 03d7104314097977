"""Fetches what clients have put straight into the store: nobody tells us when it is there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from services.api.domain.errors import Refusal, Unavailable
from services.api.use_cases.receiving import ReceiveError, Said
from shared.blobs.base import BlobError, BlobMissing

if TYPE_CHECKING:
    from services.api.domain.uploads import Upload
    from services.api.use_cases.receiving import Receiving

POLL_SECONDS: Final = 1.0
BATCH: Final = 20

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Landing:
    """The one who looks."""

    receiving: Receiving

    async def run(self) -> None:
        """Look for ever; a store or database that is away only delays it."""
        while True:
            try:
                found = await self.look()
            except (BlobError, Unavailable) as error:
                _log.warning("landing_delayed", error=type(error).__name__)
                found = 0
            if not found:
                await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> int:
        """Look for the files of some uploads whose turn it is; gives how many were there."""
        due = await self.receiving.uploads.to_look_for(BATCH)
        return sum(await asyncio.gather(*map(self._land, due)))

    async def _land(self, upload: Upload) -> bool:
        """Read a file once, proving it, into a place that no link leads to; whether it is there.

        The place that the link leads to may be written again as long as the link lasts.
        """
        store, key = self.receiving.store, upload.drop_key
        try:
            size = await store.size(key)
            await self.receiving.receive(upload, store.chunks(key), Said(size=size))
        except BlobMissing:
            return False
        except (ReceiveError, Refusal) as refused:
            if isinstance(refused, Unavailable):
                raise
            _log.info("upload_refused", upload=str(upload.id), detail=refused.detail)
            await self.receiving.uploads.drop(upload)
        return True
