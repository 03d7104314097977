"""``python -m services.validator``."""

from __future__ import annotations

import asyncio

from shared.lean import lean_imports

# Colours of the log library and WebSockets of the broker's: half of the start.
with lean_imports("rich", "aiohttp"):
    from services.validator.app import run
    from services.validator.settings import ValidatorSettings
    from shared.telemetry.logs import configure

if __name__ == "__main__":
    configure("validator")
    asyncio.run(run(ValidatorSettings()))
