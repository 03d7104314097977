"""``python -m services.api``."""

from __future__ import annotations

import asyncio

from services.api.app import run
from services.api.settings import ApiSettings
from shared.telemetry.logs import configure

if __name__ == "__main__":
    configure("api")
    asyncio.run(run(ApiSettings()))
