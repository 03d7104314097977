"""No error of the client library gets out under its own name."""

from __future__ import annotations

import asyncio

import pytest
from nats import errors as nats_errors
from nats.js import errors as js_errors

from shared.bus.errors import (
    BusClosed,
    BusError,
    BusUnavailable,
    MessageTooLarge,
    NoAnswer,
    SubjectTaken,
    TopologyMissing,
)
from shared.bus.translate import translated

STORE_FAILED = 10077


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (nats_errors.TimeoutError(), NoAnswer),
        (TimeoutError(), NoAnswer),
        (nats_errors.NoRespondersError(), NoAnswer),
        (js_errors.NoStreamResponseError(), TopologyMissing),
        (js_errors.ServiceUnavailableError(), TopologyMissing),
        (js_errors.NotFoundError(404, "consumer not found", 10014), TopologyMissing),
        (js_errors.ServiceUnavailableError(503, "insufficient resources", 10023), BusUnavailable),
        (js_errors.APIError(503, "maximum bytes exceeded", STORE_FAILED), BusUnavailable),
        (
            js_errors.APIError(400, "maximum messages per subject exceeded", STORE_FAILED),
            SubjectTaken,
        ),
        (nats_errors.MaxPayloadError(), MessageTooLarge),
        (nats_errors.ConnectionClosedError(), BusClosed),
        (nats_errors.OutboundBufferLimitError(), BusUnavailable),
        (ConnectionResetError(), BusUnavailable),
    ],
)
async def test_each_error_has_its_word(theirs: Exception, ours: type[BusError]) -> None:
    with pytest.raises(ours) as raised, translated():
        raise theirs
    assert type(raised.value) is ours


async def test_a_cancellation_that_was_swallowed_is_raised_after_all() -> None:
    async def swallow() -> None:
        with translated():
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return

    task = asyncio.create_task(swallow())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
