"""What is kept for a while only is removed after it, and not before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update

from services.api.db.tables import idempotency_keys, tombstones
from services.api.use_cases.options import Options
from services.api.use_cases.retention import TOMBSTONES
from services.api.use_cases.tracks import TrackFields
from tests.support.core import Core, a_principal

if TYPE_CHECKING:
    from services.api.db.executor import Transaction

WHO = a_principal()


async def test_old_keys_and_tombstones_are_removed_and_young_ones_stay(any_core: Core) -> None:
    cases = any_core.use_cases
    for key in ("old", "young"):
        await cases.tracks.create(WHO, TrackFields(title=key), options=Options(key=key))
    task = await any_core.task()
    await cases.import_tasks.delete(WHO, task.id)

    def age(transaction: Transaction) -> None:
        now = transaction.now()
        old = idempotency_keys.c.key == "old"
        day_ago = {"created_at": now - timedelta(hours=24, seconds=1)}
        transaction.connection.execute(update(idempotency_keys).where(old).values(**day_ago))
        week_ago = {"deleted_at": now - TOMBSTONES + timedelta(minutes=1)}
        transaction.connection.execute(update(tombstones).values(**week_ago))

    await cases.executor.write(age)
    assert await cases.retention.prune() == 1
    again = await cases.tracks.create(WHO, TrackFields(title="young"), options=Options(key="young"))
    assert again.title == "young"
    assert await cases.retention.prune() == 0
