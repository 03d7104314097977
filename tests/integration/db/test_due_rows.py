"""What is due: some of each tenant, however much the others have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import update

from services.api.db.tables import import_tasks
from services.api.domain.lifecycle import Priority, Stage
from services.api.use_cases import dispatch
from tests.support.core import a_principal

if TYPE_CHECKING:
    import pytest

    from services.api.db.transactions import Transaction
    from tests.support.core import Core


async def test_each_tenant_has_its_oldest_found(any_core: Core) -> None:
    many = await any_core.tasks("many", 9)
    few = await any_core.tasks("few", 2)
    found = await any_core.use_cases.dispatch.due(3)
    assert [each.task_id for each in found] == [*many[:3], *few]
    assert [each.tenant for each in found] == ["many"] * 3 + ["few"] * 2


async def test_stages_and_priorities_stand_in_lines_of_their_own(any_core: Core) -> None:
    await any_core.tasks("a", 3)
    await any_core.tasks("a", 3, priority="bulk")
    for _ in range(3):
        await any_core.store(await any_core.task(who=a_principal("a")))
    found = await any_core.use_cases.dispatch.due(2)
    assert Counter((each.stage, each.priority) for each in found) == {
        (Stage.DOWNLOAD, Priority.INTERACTIVE): 2,
        (Stage.DOWNLOAD, Priority.BULK): 2,
        (Stage.VALIDATE, Priority.INTERACTIVE): 2,
    }


async def test_what_is_not_due_hides_nothing_that_is(any_core: Core) -> None:
    """As a tenant whose tasks all wait for another attempt."""
    waiting, ready = await any_core.tasks("a", 3), await any_core.tasks("b", 1)

    def later(transaction: Transaction) -> None:
        moment = transaction.now().replace(year=9999)
        change = update(import_tasks).where(import_tasks.c.id.in_(waiting)).values(due_at=moment)
        transaction.connection.execute(change)

    await any_core.use_cases.executor.write(later)
    assert [each.task_id for each in await any_core.use_cases.dispatch.due(3)] == ready


async def test_where_a_look_ends_the_next_one_goes_on(
    any_core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MAX_ROWS", 2)
    for tenant in "abcde":
        await any_core.tasks(tenant, 1)
    looks = [await any_core.use_cases.dispatch.due(1) for _ in range(4)]
    assert ["".join(each.tenant for each in look) for look in looks] == ["ab", "cd", "e", "ab"]
