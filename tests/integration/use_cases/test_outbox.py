"""An event that somebody took and never sent is handed out again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update

from services.api.db.tables import outbox

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core


async def test_what_a_dead_relay_has_taken_is_handed_out_again(any_core: Core) -> None:
    cases = any_core.use_cases

    def end_the_taking(transaction: Transaction) -> None:
        past = transaction.now() - timedelta(seconds=1)
        transaction.connection.execute(update(outbox).values(taken_until=past))

    await any_core.task()
    taken = await cases.outbox.take(100)
    assert await cases.outbox.take(100) == ()
    await cases.executor.write(end_the_taking)
    assert await cases.outbox.take(100) == taken
