"""How many tasks a tenant made today by a door that allows so many a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case

from services.api.db.tables import daily_creates

if TYPE_CHECKING:
    from datetime import date

    from services.api.db.transactions import Transaction


def count_one(transaction: Transaction, tenant: str, today: date) -> int:
    """Count one more; gives how many there are then. It counts if the transaction commits.

    Nobody else can count for the tenant until then, so that no two are the last one.
    """
    new = transaction.insert(daily_creates).values(tenant=tenant, day=today, n=1)
    columns = daily_creates.c
    more = case((columns.day == new.excluded.day, columns.n + 1), else_=1)
    counted = new.on_conflict_do_update(
        index_elements=["tenant"], set_={"day": new.excluded.day, "n": more}
    ).returning(columns.n)
    number: int = transaction.connection.execute(counted).scalar_one()
    return number
