"""Asking for claims."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.stage.claiming import _REMEMBERED, Claims
from tests.support.scripted import TASK

if TYPE_CHECKING:
    from tests.support.scripted import ScriptedApi


async def test_runs_that_nobody_heard_are_remembered_up_to_a_bound(api: ScriptedApi) -> None:
    claims = Claims(api.bus, "download", timedelta(seconds=1))
    first, *_, last = [claims._run_id((TASK, n)) for n in range(_REMEMBERED + 1)]  # noqa: SLF001 - the bound is the point
    assert claims._run_id((TASK, _REMEMBERED)) == last  # noqa: SLF001 - as above
    assert claims._run_id((TASK, 0)) != first  # noqa: SLF001 - as above
