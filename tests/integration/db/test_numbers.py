"""Numbers of tasks and items: each is given once, whoever asks and however many at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select

from services.api.db.catalogue_tables import numbers
from services.api.db.numbers import BLOCK
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from tests.support.core import a_principal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.catalogue import Track
    from tests.support.core import Core

WHO = a_principal()


async def create(core: Core, count: int) -> list[int | None]:
    """The numbers of so many new tracks, made at once."""
    made = await asyncio.gather(*(core.track() for _ in range(count)))
    return [track.number for track in made]


async def taken(core: Core) -> dict[tuple[str, str], int]:
    """How many numbers replicas have taken, by tenant and collection."""
    rows = await core.use_cases.executor.read(lambda c: c.execute(select(numbers)).all())
    return {(row.tenant, row.collection): row.next - 1 for row in rows}


def are_unique(given: Iterable[int | None]) -> bool:
    known = [*given]
    return len(set(known)) == len(known) and None not in known


async def test_they_begin_with_one_and_go_on_in_order(core: Core) -> None:
    given = [(await core.track()).number for _ in range(BLOCK + 2)]
    assert given == [*range(1, BLOCK + 3)]
    # The second block is twice the first.
    assert await taken(core) == {("default", "tracks"): 3 * BLOCK}


async def test_each_tenant_and_each_noun_has_its_own(core: Core) -> None:
    other = a_principal("other")
    videos = core.use_cases.catalogue["videos"]
    first = [
        await core.track(),
        await core.track(other),
        await videos.create(WHO, {"title": "x"}),
        await core.use_cases.import_tasks.create(WHO, TaskFields(source_uri="https://a.example/b")),
    ]
    assert [each.number for each in first] == [1, 1, 1, 1]


async def test_many_at_once_get_different_ones(any_core: Core) -> None:
    assert are_unique(await create(any_core, 3 * BLOCK))


async def test_replicas_give_different_ones(replicas: list[Core]) -> None:
    given = await asyncio.gather(*(create(core, 2 * BLOCK) for core in replicas))
    assert are_unique(number for each in given for number in each)


async def test_a_batch_gets_as_many_as_it_needs(core: Core) -> None:
    batch = [TaskFields(source_uri=f"https://a.example/{n}") for n in range(10 * BLOCK)]
    made = await core.use_cases.import_tasks.batch_create(WHO, batch)
    assert are_unique(task.number for task in made)


async def test_what_is_done_once_needs_one_once(core: Core) -> None:
    tracks, key = core.use_cases.tracks, Options(key="k")
    first = await tracks.create(WHO, {"title": "x"}, options=key)
    await create(core, BLOCK - 1)
    assert await tracks.create(WHO, {"title": "x"}, options=key) == first
    assert await taken(core) == {("default", "tracks"): BLOCK}  # all given


async def test_one_that_was_given_in_vain_is_not_given_again(core: Core) -> None:
    given: list[int] = []

    def in_vain(transaction: Transaction) -> None:
        given.append(transaction.number("default", "tracks"))
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - ours
        await core.use_cases.executor.write(in_vain)
    assert given == [1]
    assert (await core.track()).number == 2


async def test_who_goes_away_meanwhile_leaves_the_others_theirs(core: Core) -> None:
    def creating() -> asyncio.Task[Track]:
        return asyncio.create_task(core.track())

    gone, stays = creating(), creating()
    await taken(core)
    gone.cancel()
    assert (await stays).number is not None
    assert are_unique(await create(core, 3))


async def test_blocks_are_taken_in_transactions_of_their_own(any_core: Core) -> None:
    """Whoever shares a commit may wait in it, and every replica would wait for the row."""
    said: list[list[str]] = []
    present: dict[Connection, list[str]] = {}  # two write at a time
    engine = any_core.engines.write.sync_engine

    def begin(connection: Connection) -> None:
        present[connection] = []
        said.append(present[connection])

    def say(connection: Connection, _: object, statement: str, *__: object) -> None:
        if connection in present:
            present[connection].append(statement)

    event.listen(engine, "begin", begin)
    event.listen(engine, "before_cursor_execute", say)
    await create(any_core, BLOCK // 2)
    taking = [each for each in said if any("INTO numbers" in line for line in each)]
    assert taking
    for each in taking:
        written = [line for line in each if line.startswith(("INSERT", "UPDATE", "DELETE"))]
        assert len(written) == 1
