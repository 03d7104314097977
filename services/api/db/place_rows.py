"""Places of tracks in their collections: each is given once, without gaps, beginning with 1.

Unlike numbers they are taken one by one, and whoever takes one holds up all who want the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from services.api.db import lists
from services.api.db.catalogue_tables import TABLES, numbers
from services.api.domain.nouns import TRACKS

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.db.transactions import Transaction


def take(transaction: Transaction, tenant: str, collection_id: UUID) -> int:
    """The next place; the tracks that were there before the first one is taken count along."""
    connection, key = transaction.connection, collection_id.hex
    mine = numbers.c.tenant == tenant, numbers.c.collection == key
    after = numbers.c.next + 1
    taken = update(numbers).where(*mine).values(next=after).returning(numbers.c.next)
    end = connection.execute(taken).scalar_one_or_none()
    if end is None:
        tracks = TABLES[TRACKS.collection]
        columns = tracks.c
        inside = (
            lists.equal(columns.tenant, tenant),
            lists.equal(columns.collection_id, collection_id),
        )
        first = lists.count(connection, tracks, inside) + 1
        new = transaction.insert(numbers).values(tenant=tenant, collection=key, next=first + 1)
        # Somebody else may have been the first meanwhile.
        made = new.on_conflict_do_update(
            index_elements=["tenant", "collection"], set_={"next": after}
        )
        end = connection.execute(made.returning(numbers.c.next)).scalar_one()
    return int(end) - 1


def forget(transaction: Transaction, tenant: str, collection_id: UUID) -> None:
    """Count a collection's places no more."""
    mine = numbers.c.tenant == tenant, numbers.c.collection == collection_id.hex
    transaction.connection.execute(delete(numbers).where(*mine))
