"""NATS: connection, streams, subjects, envelopes."""

from __future__ import annotations

from shared.lean import without

# It would load aiohttp, for WebSockets: a third of the start of a worker.
with without("aiohttp"):
    import nats  # noqa: F401 - so that it is loaded
