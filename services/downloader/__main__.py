"""``python -m services.downloader``."""

from __future__ import annotations

import asyncio

from services.downloader.app import run
from services.downloader.settings import DownloaderSettings
from shared.telemetry.logs import configure

if __name__ == "__main__":
    configure("downloader")
    asyncio.run(run(DownloaderSettings()))
