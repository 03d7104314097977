"""The simplest unit of work there is: it writes one row and counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select, update

from services.api.db.tables import dead_letters, totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction


def letter(n: int) -> Callable[[Transaction], int]:
    """A unit that writes the row ``n``; its answer is ``n``."""

    def unit(transaction: Transaction) -> int:
        transaction.connection.execute(
            dead_letters.insert().values(
                id=UUID(int=n),
                subject="s",
                payload=b"",
                reason=str(n),
                created_at=transaction.now(),
            )
        )
        transaction.count("t", "letters", "", 1)
        return n

    return unit


def touch(transaction: Transaction, n: int) -> None:
    """Change the row ``n``, which takes its lock."""
    changed = update(dead_letters).where(dead_letters.c.id == UUID(int=n)).values(subject="changed")
    transaction.connection.execute(changed)


async def count(executor: Executor) -> tuple[int, int]:
    """How many rows there are, and how many were counted."""
    rows = await executor.read(
        lambda c: c.execute(select(func.count()).select_from(dead_letters)).scalar_one()
    )
    kept = await executor.read(
        lambda c: c.execute(select(totals.c.n).where(totals.c.tenant == "t")).scalar()
    )
    return rows, kept or 0


async def written(executor: Executor) -> set[int]:
    """Which rows there are."""
    return await executor.read(lambda c: {id_.int for id_ in c.scalars(select(dead_letters.c.id))})
