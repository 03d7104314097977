"""The relay strikes from the outbox only what the broker has, should it die the next moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from services.api.db.tables import outbox
from shared.bus.errors import BusUnavailable
from tests.support.nats import ACK_WAIT

if TYPE_CHECKING:
    from tests.integration.messages.conftest import Loops
    from tests.support.core import Core


async def test_what_the_broker_did_not_take_stays_in_the_outbox(core: Core, loops: Loops) -> None:
    async def left() -> int:
        return len(await core.use_cases.executor.read(lambda c: c.execute(select(outbox)).all()))

    await core.task()
    with pytest.raises(BusUnavailable):
        await loops.relay.round()
    assert await left() == 1
    await loops.bus.ensure_topology(ACK_WAIT)
    await loops.relay.round()
    assert await left() == 0
