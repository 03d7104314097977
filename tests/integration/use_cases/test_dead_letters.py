"""What nobody can make sense of is kept, and does not fill the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select
from uuid_utils.compat import uuid7

from services.api.db.tables import dead_letters
from services.api.use_cases.dead_letters import MAX_KEPT, MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core


async def _kept(core: Core) -> list[tuple[str, bytes]]:
    columns = (dead_letters.c.subject, dead_letters.c.payload)
    query = select(*columns).order_by(dead_letters.c.id)
    rows = await core.use_cases.executor.read(lambda c: c.execute(query).all())
    return [(row.subject, row.payload) for row in rows]


async def test_a_letter_is_kept_with_the_beginning_of_its_payload(any_core: Core) -> None:
    await any_core.use_cases.dead_letters.add("s", b"x" * (MAX_PAYLOAD_BYTES + 1), "why")
    assert await _kept(any_core) == [("s", b"x" * MAX_PAYLOAD_BYTES)]


async def test_what_is_said_of_a_letter_fits_its_place(any_core: Core) -> None:
    await any_core.use_cases.dead_letters.add("s" * 256, b"", "w" * 501)
    columns = (dead_letters.c.subject, dead_letters.c.reason)
    [row] = await any_core.use_cases.executor.read(lambda c: c.execute(select(*columns)).all())
    assert tuple(row) == ("s" * 255, "w" * 500)


async def test_of_a_flood_only_the_last_are_kept(any_core: Core) -> None:
    def flood(transaction: Transaction) -> None:
        now = transaction.now()
        rows = [
            {"id": uuid7(), "subject": str(n), "payload": b"", "reason": "", "created_at": now}
            for n in range(MAX_KEPT)
        ]
        transaction.connection.execute(insert(dead_letters), rows)

    await any_core.use_cases.executor.write(flood)
    for subject in ("last but one", "last"):
        await any_core.use_cases.dead_letters.add(subject, b"", "why")
    subjects = [subject for subject, _ in await _kept(any_core)]
    assert subjects == [*(str(n) for n in range(2, MAX_KEPT)), "last but one", "last"]
