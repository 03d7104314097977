"""F41: whatever happens to whichever process, in the end every task is final and all holds."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import SEED
from tests.support.faults import FLEET, PUBLISHING, running_system
from tests.support.faults.soak import make_plan, soak
from tests.support.faults.soak.plan import links_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.faults import Shape

SECONDS = float(os.environ.get("STAGEDOOR_SOAK_SECONDS", "30"))
TASKS = 100
"""For each shape; there are fewer when there is less time than for two a second."""
BIG_FLEET = replace(FLEET, downloaders=4, validators=4, publishers=2)


@pytest.mark.timeout(SECONDS + 900)
@pytest.mark.parametrize("shape", [PUBLISHING, BIG_FLEET], ids=["laptop", "fleet"])
async def test_f41_soak(shape: Shape, tmp_path: Path) -> None:
    """Half of the time for each shape; the schedule is printed as it happens (pytest -s)."""
    plan = make_plan(SEED, shape, SECONDS / 2, min(TASKS, int(SECONDS)))
    with running_system(
        tmp_path, shape, proxied=links_of(shape), STAGEDOOR_MAX_ATTEMPTS="50"
    ) as system:
        await soak(system, plan)


def test_f41_a_seed_is_a_plan() -> None:
    plan = make_plan("7", BIG_FLEET, 60, 100)
    assert plan == make_plan("7", BIG_FLEET, 60, 100)
    assert plan != make_plan("8", BIG_FLEET, 60, 100)
    assert len(plan.faults) > 20
    assert len({wish.number for wish in plan.wishes}) == 100
