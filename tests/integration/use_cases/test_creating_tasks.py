"""What a new task may say, and who may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update
from uuid_utils.compat import uuid7

from services.api.db.tables import records
from services.api.domain.errors import (
    InvalidFields,
    NotFound,
    RelatedNotFound,
)
from services.api.domain.lifecycle import Status
from services.api.domain.queries import TaskQuery
from services.api.domain.task import Target
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import a_principal

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core

WHO = a_principal()


async def test_all_wrong_values_are_told_at_once(any_core: Core) -> None:
    fields = TaskFields(source_uri="http://x.example/a.wav", isrc="short", declared_md5=5)
    with pytest.raises(InvalidFields) as refused:
        await any_core.use_cases.import_tasks.create(
            WHO, fields, required=("source_uri", "isrc", "target")
        )
    assert [(v.field, v.code) for v in refused.value.violations] == [
        ("source_uri", "not_https"),
        ("isrc", "invalid"),
        ("declared_md5", "invalid"),
        ("target", "required"),
    ]


async def test_a_taken_isrc_is_told_beside_the_other_violations(any_core: Core) -> None:
    done = await any_core.complete(await any_core.task())
    fields = TaskFields(source_uri="ftp://x", isrc=done.isrc)
    with pytest.raises(InvalidFields) as refused:
        await any_core.use_cases.import_tasks.create(WHO, fields)
    assert [(v.field, v.code) for v in refused.value.violations] == [
        ("source_uri", "not_https"),
        ("isrc", "taken"),
    ]


async def test_an_unknown_track_is_refused(any_core: Core) -> None:
    fields = TaskFields(target=Target("tracks", uuid7()))
    with pytest.raises(RelatedNotFound):
        await any_core.use_cases.import_tasks.create(WHO, fields)


async def test_another_tenants_track_is_unknown(any_core: Core) -> None:
    track = await any_core.track(a_principal("other"))
    fields = TaskFields(target=Target("tracks", track.id))
    with pytest.raises(RelatedNotFound):
        await any_core.use_cases.import_tasks.create(WHO, fields)


async def test_another_tenants_task_is_not_there(any_core: Core) -> None:
    tasks, other = any_core.use_cases.import_tasks, a_principal("other")
    task = await any_core.task()
    for call in (
        tasks.get(other, task.id),
        tasks.update(other, task.id, TaskFields(isrc="USRC19999999")),
        tasks.retry(other, task.id),
        tasks.delete(other, task.id),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await tasks.list(other, TaskQuery())).total == 0
    assert await tasks.get(WHO, task.id) == task


async def test_the_isrc_of_a_valid_record_is_refused_at_create(any_core: Core) -> None:
    await any_core.complete(await any_core.task())
    with pytest.raises(InvalidFields) as refused:
        await any_core.task()
    assert [(v.field, v.code) for v in refused.value.violations] == [("isrc", "taken")]


async def test_an_isrc_is_free_after_it_was_given_up(any_core: Core) -> None:
    done = await any_core.complete(await any_core.task())
    await any_core.use_cases.import_tasks.update(WHO, done.id, TaskFields(isrc="USRC10000000"))
    assert (await any_core.complete(await any_core.task())).status is Status.COMPLETED


async def test_a_record_of_another_kind_of_master_does_not_hold_the_isrc(any_core: Core) -> None:
    await any_core.complete(await any_core.task())

    def make_it_another(transaction: Transaction) -> None:
        transaction.connection.execute(update(records).values(master_type="hd"))

    await any_core.use_cases.executor.write(make_it_another)
    assert (await any_core.complete(await any_core.task())).status is Status.COMPLETED


@pytest.mark.parametrize(
    "title",
    [
        "\u5b87\u591a\u7530\u3000\u30d2\u30ab\u30eb",  # an ideographic space
        "L\u2019\u00e9t\u00e9\u00a0!",  # a space that does not break
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # a Persian non-joiner
        "\U0001f469\u200d\U0001f3a4",  # a singer, joined of two
    ],
)
async def test_titles_of_all_scripts_are_taken_as_they_are(title: str, core: Core) -> None:
    assert (await core.track(title=title)).title == title


@pytest.mark.parametrize(
    "title", ["a\x00b", "a\nb", "a\u2028b", "a\x85b", "a\ud800", "\u200b", " "]
)
async def test_titles_that_are_no_line_of_text_are_refused(title: str, core: Core) -> None:
    with pytest.raises(InvalidFields):
        await core.track(title=title)
