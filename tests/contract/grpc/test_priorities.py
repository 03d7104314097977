"""Priorities over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stagedoor.v1.import_task_service_pb2 import ImportTask
from tests.contract.grpc.test_master_types import create, update
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.door import Door

INTERACTIVE, BULK = ImportTask.PRIORITY_INTERACTIVE, ImportTask.PRIORITY_BULK


@pytest.mark.parametrize(
    ("asked", "told"),
    [(ImportTask.PRIORITY_UNSPECIFIED, INTERACTIVE), (INTERACTIVE, INTERACTIVE), (BULK, BULK)],
)
async def test_a_task_is_waited_for_unless_its_client_says_otherwise(
    door: Door, asked: ImportTask.Priority.ValueType, told: ImportTask.Priority.ValueType
) -> None:
    assert (await create(door, priority=asked)).priority == told


async def test_it_can_be_changed_and_cleared(door: Door) -> None:
    task = await create(door)
    task.priority = BULK
    changed = await update(door, task, "priority")
    assert (changed.priority, changed.generation) == (BULK, 1)
    changed.priority = ImportTask.PRIORITY_UNSPECIFIED
    assert (await update(door, changed, "priority")).priority == INTERACTIVE


async def test_there_is_no_other(door: Door) -> None:
    answer = await refused(create(door, priority=99))
    assert answer.fields == {"import_task.priority": "INVALID"}
