"""A door that allows so many new tasks a day counts them for each tenant, over all replicas."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from services.api.db import daily_rows
from services.api.domain.errors import InvalidFields, RateLimited
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from tests.support.core import a_principal, open_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.db.transactions import Transaction
    from tests.support.core import Core

WHO = a_principal()
NEW = TaskFields(source_uri="https://cdn.example.com/a.wav", master_type="cd")


async def test_two_replicas_make_no_more_than_is_allowed(any_core: Core, database_url: str) -> None:
    async with open_core(database_url) as other:
        doors = [replace(core.use_cases.import_tasks, daily=5) for core in (any_core, other)]
        made = await asyncio.gather(
            *(door.create(WHO, NEW) for door in doors * 5), return_exceptions=True
        )
    refused = [each for each in made if isinstance(each, RateLimited)]
    assert len(refused) == 5
    assert all(timedelta(0) < each.retry_after <= timedelta(days=1) for each in refused)
    tasks = any_core.use_cases.import_tasks
    assert len([each for each in made if not isinstance(each, BaseException)]) == 5
    await doors[0].create(a_principal("other"), NEW)
    await tasks.create(WHO, NEW)  # a door without a limit


async def test_what_is_refused_or_repeated_does_not_count(core: Core) -> None:
    door = replace(core.use_cases.import_tasks, daily=1)
    with pytest.raises(InvalidFields):
        await door.create(WHO, replace(NEW, declared_md5="x"))
    with pytest.raises(InvalidFields):
        await door.create(WHO, NEW, required=("isrc",))
    first = await door.create(WHO, NEW, options=Options(key="k"))
    assert await door.create(WHO, NEW, options=Options(key="k")) == first
    with pytest.raises(RateLimited):
        await door.create(WHO, NEW)


async def test_each_day_begins_anew(any_core: Core) -> None:
    day = date(2026, 1, 31)

    def count(today: date) -> Callable[[Transaction], int]:
        return lambda transaction: daily_rows.count_one(transaction, "t", today)

    write, next_day = any_core.use_cases.executor.write, day + timedelta(days=1)
    counted = [await write(count(today)) for today in (day, day, next_day, next_day)]
    assert counted == [1, 2, 1, 2]
