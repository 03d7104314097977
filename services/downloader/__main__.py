"""``python -m services.downloader``."""

from __future__ import annotations

import asyncio

from shared.lean import lean_imports

# Colours of the log library and WebSockets of the broker's: half of the start.
with lean_imports("rich", "aiohttp"):
    from services.downloader.app import run
    from services.downloader.settings import DownloaderSettings
    from shared.telemetry.logs import configure

if __name__ == "__main__":
    configure("downloader")
    asyncio.run(run(DownloaderSettings()))
