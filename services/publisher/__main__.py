"""``python -m services.publisher``."""

from __future__ import annotations

import asyncio

from shared.lean import lean_imports

# Colours of the log library and WebSockets of the broker's: half of the start.
with lean_imports("rich", "aiohttp"):
    from services.publisher.app import run
    from services.publisher.settings import PublisherSettings
    from shared.telemetry.logs import configure

if __name__ == "__main__":
    configure("publisher")
    asyncio.run(run(PublisherSettings()))
