"""Two replicas whose commits change the same task and count the bytes of the same tenant."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text
from structlog.testing import capture_logs

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.signals import Signals
from tests.support.letters import letter, touch

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction

TENANT = "t"


def stores(transaction: Transaction) -> None:
    """A unit that counts a byte."""
    transaction.store(TENANT, 1)


def stores_late(transaction: Transaction) -> None:
    """A unit that has the row for a second before it counts a byte."""
    touch(transaction, 1)
    if transaction.connection.dialect.name == "postgresql":
        transaction.connection.execute(text("SELECT pg_sleep(1)"))
    transaction.store(TENANT, 1)


async def test_no_commit_keeps_a_tenants_row_while_it_waits_for_a_task(database_url: str) -> None:
    """PostgreSQL would end one of them, a second later, for the deadlock that it is."""
    one, other = (Executor(open_engines(database_url), Signals().notify) for _ in range(2))
    await asyncio.gather(*(one.write(letter(n)) for n in range(1, 4)))
    with capture_logs() as logs:
        slow = asyncio.create_task(other.write(stores_late))
        await asyncio.sleep(0.3)
        # Two fly at once, so that the last two share a commit.
        await asyncio.gather(
            *(one.write(lambda t, n=n: touch(t, n)) for n in (2, 3)),  # type: ignore[misc] # bound now
            one.write(stores),
            one.write(lambda t: touch(t, 1)),
        )
        await slow
    await one.close()
    await other.close()
    assert [each for each in logs if each["event"] == "database_unavailable"] == []
