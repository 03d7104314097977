"""When tokens were last used: written beside the requests, never within one."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import or_, update

from services.api.db.tables import tokens
from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction

COARSE = timedelta(minutes=1)

_log = structlog.get_logger(__name__)


class TokenUse:
    """Notes uses, at most one a minute for each token."""

    def __init__(self, executor: Executor) -> None:
        """Write with this executor."""
        self._executor = executor
        self._tried: dict[str, float] = {}
        # The loop itself keeps only weak references to tasks.
        self._writing: set[asyncio.Task[None]] = set()

    async def note(self, key_id: str, last: datetime | None) -> None:
        """Begin to write that the token is used now, unless its ``last`` use was just noted."""
        if last is not None and datetime.now(UTC) - last < COARSE:
            return
        # Tried, not written: a database that takes no writes must not be asked at each request.
        tick = time.monotonic()
        if tick - self._tried.get(key_id, float("-inf")) < COARSE.total_seconds():
            return
        self._tried[key_id] = tick
        task = asyncio.create_task(self._write(key_id))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        # One turn of the loop hands the unit to the executor, which finishes it when it closes.
        await asyncio.sleep(0)

    async def _write(self, key_id: str) -> None:
        def unit(transaction: Transaction) -> None:
            now, last = transaction.now(), tokens.c.last_used_at
            is_due = or_(last.is_(None), last <= now - COARSE)
            changed = update(tokens).where(tokens.c.key_id == key_id, is_due)
            transaction.connection.execute(changed.values(last_used_at=now))

        try:
            await self._executor.write(unit)
        except Unavailable:
            _log.warning("token_use_not_noted", key_id=key_id)
