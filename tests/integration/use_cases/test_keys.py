"""Idempotency keys: for how long, for whom, and across versions of this program."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from services.api.db.tables import idempotency_keys as keys
from services.api.domain.errors import ScopeMissing
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.items import Fields
from services.api.use_cases.options import Options
from tests.support.core import a_principal

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from services.api.domain.principal import Principal
    from services.api.use_cases.operations import Operation
    from tests.support.core import Core

WHO = a_principal()
KEY = Options(key="k")


async def test_a_key_is_new_again_once_it_was_kept_long_enough(any_core: Core) -> None:
    tracks = any_core.use_cases.tracks
    first = await tracks.create(WHO, Fields(title="x"), options=KEY)

    def age(transaction: Transaction) -> None:
        old = transaction.now() - timedelta(days=1, seconds=1)
        transaction.connection.execute(update(keys).values(created_at=old))

    await any_core.use_cases.executor.write(age)
    await any_core.use_cases.retention.prune()
    second = await tracks.create(WHO, Fields(title="other"), options=KEY)
    assert second.id != first.id


async def test_an_answer_is_not_given_again_to_who_may_not_make_such_a_change(
    any_core: Core,
) -> None:
    cases = any_core.use_cases

    def creating(who: Principal) -> list[Operation]:
        return [lambda _: cases.tracks.creating(who, Fields(title="x"))]

    [made] = await cases.operations.run(WHO, creating(WHO), KEY, "a request")
    reader = a_principal("default", "tracks:read", "tasks:write")
    with pytest.raises(ScopeMissing):
        await cases.operations.run(reader, creating(reader), KEY, "a request")
    writer = a_principal("default", "tracks:write")
    assert await cases.operations.run(writer, creating(writer), KEY, "a request") == (made,)


async def test_an_answer_of_an_earlier_version_lacks_what_there_was_not_then(
    any_core: Core,
) -> None:
    tasks = any_core.use_cases.import_tasks
    wanted = TaskFields(source_uri="https://cdn.example.com/m.wav")
    first = await tasks.create(WHO, wanted, options=KEY)

    def as_it_was(transaction: Transaction) -> None:
        [answer] = transaction.connection.scalars(select(keys.c.answer))
        del answer[0]["traceparent"]
        transaction.connection.execute(update(keys).values(answer=answer))

    await any_core.use_cases.executor.write(as_it_was)
    assert await tasks.create(WHO, wanted, options=KEY) == first
