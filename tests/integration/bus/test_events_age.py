"""Events stay in their stream for as long as the operator says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.bus import streams
from shared.bus.bus import Bus
from shared.bus.roles import Role
from tests.support.nats import ACK_WAIT

if TYPE_CHECKING:
    from tests.support.nats import NatsServer

DAY = 24 * 3600.0


@pytest.mark.parametrize(("keep", "seconds"), [(timedelta(days=2), 2 * DAY), (None, 0.0)])
async def test_the_age_is_set_on_a_stream_that_is_there(
    nats_server: NatsServer, keep: timedelta | None, seconds: float
) -> None:
    async with nats_server.bus(Role.API) as api, nats_server.client(Role.API) as client:
        js = client.jetstream()
        await api.ensure_topology(ACK_WAIT)
        assert (await js.stream_info(streams.EVENTS)).config.max_age == 7 * DAY
        bus = await Bus.connect(nats_server.url(Role.API), Role.API, keep_events=keep)
        try:
            await bus.ensure_topology(ACK_WAIT)
        finally:
            await bus.close()
        assert (await js.stream_info(streams.EVENTS)).config.max_age == seconds
        assert not (await js.stream_info(streams.WORK)).config.max_age
