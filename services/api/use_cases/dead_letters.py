"""Messages that nobody could make sense of, kept for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db.tables import dead_letters

if TYPE_CHECKING:
    from services.api.db.executor import Executor, Transaction

MAX_PAYLOAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The place for them."""

    executor: Executor

    async def add(self, subject: str, payload: bytes, reason: str) -> None:
        """Keep a message, at most its first 64 KiB."""

        def unit(transaction: Transaction) -> None:
            transaction.connection.execute(
                dead_letters.insert().values(
                    id=uuid7(),
                    subject=subject[:255],
                    payload=payload[:MAX_PAYLOAD_BYTES],
                    reason=reason[:500],
                    created_at=transaction.now(),
                )
            )

        await self.executor.write(unit)
