"""Whose turn it is."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from services.api.domain.lifecycle import Priority, Stage
from services.api.domain.turns import BULK_EVERY, Due, Turns

NOW = datetime.now(UTC)
_ids = count()
DOWNLOADS = {Stage.DOWNLOAD: 4}


def due(
    tenant: str,
    number: int,
    priority: Priority = Priority.INTERACTIVE,
    stage: Stage = Stage.DOWNLOAD,
) -> list[Due]:
    """What a tenant waits for."""
    return [
        Due(
            task_id=UUID(int=next(_ids)),
            tenant=tenant,
            stage=stage,
            priority=priority,
            generation=1,
            version=1,
            due_at=NOW,
            published=0,
        )
        for _ in range(number)
    ]


def tenants(picked: list[Due]) -> str:
    """Whose turns they were."""
    return "".join(each.tenant for each in picked)


def test_tenants_take_turns_and_each_keeps_its_order() -> None:
    many, few = due("a", 5), due("b", 2)
    picked = Turns().pick([*many, *few], {Stage.DOWNLOAD: 6})
    assert tenants(picked) == "ababaa"
    assert [each for each in picked if each.tenant == "a"] == many[:4]


def test_who_had_no_turn_in_a_round_is_first_in_the_next() -> None:
    turns = Turns()
    waiting = [*due("a", 9), *due("b", 9), *due("c", 9)]
    rounds = [turns.pick(waiting, {Stage.DOWNLOAD: 1}) for _ in range(5)]
    assert [tenants(each) for each in rounds] == ["a", "b", "c", "a", "b"]


def test_who_comes_new_waits_for_nobody_who_had_a_turn() -> None:
    turns = Turns()
    turns.pick(due("a", 9), DOWNLOADS)
    assert tenants(turns.pick([*due("a", 9), *due("b", 1)], {Stage.DOWNLOAD: 2})) == "ba"


def test_bulk_work_has_its_share_beside_other_work_and_no_more() -> None:
    turns = Turns()
    waiting = [*due("b", 99, Priority.BULK), *due("i", 99)]
    picked = [
        each for _ in range(4 * BULK_EVERY) for each in turns.pick(waiting, {Stage.DOWNLOAD: 1})
    ]
    assert tenants(picked) == ("i" * (BULK_EVERY - 1) + "b") * 4


def test_bulk_work_has_all_turns_when_there_is_no_other() -> None:
    assert len(Turns().pick(due("b", 9, Priority.BULK), DOWNLOADS)) == 4


def test_a_stage_that_is_full_holds_up_no_other() -> None:
    waiting = [*due("a", 3), *due("a", 3, stage=Stage.VALIDATE)]
    picked = Turns().pick(waiting, {Stage.DOWNLOAD: 0, Stage.VALIDATE: 2})
    assert [each.stage for each in picked] == [Stage.VALIDATE] * 2
