"""What a download is given, and what a tenant may have: decided where runs are claimed and told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from services.api.db import storage_rows, task_rows
from services.api.domain.outcomes import error
from services.api.use_cases.vault import Unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.outcomes import Go
    from services.api.domain.storage import Caps, Storage
    from services.api.domain.task import Finding, Task
    from services.api.use_cases.vault import Vault

BUSY: Final = timedelta(seconds=5)
"""The least that a download waits when its tenant runs as many as it may."""
ASKS_PER_SECOND: Final = 50
"""How often those of a tenant that wait may ask, however many there are."""

_UNREADABLE = error(
    "source_headers_unreadable",
    "The header fields for the source cannot be decrypted any more; set them again, then retry.",
)
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Downloads:
    """The tenants' caps and their secrets, as far as downloads go."""

    vault: Vault
    caps: Caps

    def busy(
        self, transaction: Transaction, task: Task, now: datetime, *, trust_silence: bool
    ) -> timedelta | None:
        """How long to wait, while as many of the tenant's downloads run as may; else None."""
        if not self.caps.running_downloads:
            return None
        storage_rows.hold(transaction, task.tenant)
        running = storage_rows.count_downloads(
            transaction.connection, task, now, trust_silence=trust_silence
        )
        if running < self.caps.running_downloads:
            return None
        waiting = task_rows.count_waiting(transaction.connection, task.tenant)
        spread = max(BUSY, timedelta(seconds=waiting / ASKS_PER_SECOND))
        return BUSY + spread * _random.random()

    def equip(self, transaction: Transaction, go: Go) -> Go | Finding:
        """With the header fields and the room that there are, or why it cannot be."""
        storage = self._storage(transaction, go.task.tenant)
        if not storage.has_room():
            return storage.exceeded()
        try:
            headers = self.vault.find(transaction, go.task)
        except Unreadable:
            return _UNREADABLE
        return replace(go, source_headers=headers, max_bytes=storage.remaining or 0)

    def room(self, connection: Connection, tenant: str) -> int:
        """How many bytes a tenant may still store, 0 for any number; 1 for none."""
        remaining = storage_rows.find(connection, tenant, self.caps).remaining
        return 0 if remaining is None else max(remaining, 1)

    def too_much(self, transaction: Transaction, tenant: str, size: int) -> Finding | None:
        """Why so many bytes more may not be stored; None if they may.

        Two runs at once may each have had room: whoever reports first keeps it.
        """
        if not self._storage(transaction, tenant).quota:
            return None
        storage = storage_rows.lock(transaction, tenant, self.caps)
        return None if storage.has_room(size) else storage.exceeded(size)

    def _storage(self, transaction: Transaction, tenant: str) -> Storage:
        """What a tenant stores and may store, as it was last committed."""
        return transaction.remembered(
            (storage_rows.find, tenant),
            lambda: storage_rows.find(transaction.unguarded, tenant, self.caps),
        )
