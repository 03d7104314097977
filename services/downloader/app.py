"""The one place where the downloader is put together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from services.downloader.bandwidth import Bandwidth
from services.downloader.fetch import Fetcher
from services.downloader.gates import Gate, GatedTransport
from services.downloader.http import HttpTransport
from services.downloader.stage import DownloadStage
from shared.blobs.open import open_store
from shared.blobs.scratch import own_scratch
from shared.bus.roles import Role
from shared.origin.guard import AddressGuard
from shared.origin.tls import tls_context
from shared.stage.service import serve

if TYPE_CHECKING:
    from services.downloader.settings import DownloaderSettings
    from services.downloader.transport import Transport

# Of a small disk no more than this share is kept free.
_MOST_KEPT_FREE = 0.1


async def run(settings: DownloaderSettings) -> None:
    """Download until told to stop."""
    with HttpTransport(
        AddressGuard(settings.policy()),
        tls_context(settings.download_ca_file),
        settings.limits(),
        settings.user_agent(),
    ) as transport:
        stage = download_stage(settings, transport)
        await serve(stage, Role.DOWNLOADER, settings, settings.download_slots)


def download_stage(settings: DownloaderSettings, transport: Transport) -> DownloadStage:
    """Put the stage together over a transport."""
    store = open_store(settings.store_url(), scratch=own_scratch(settings.data_dir / "scratch"))
    fetcher = Fetcher(
        GatedTransport(transport, Gate(settings.download_per_host, busy_reason="host_busy")),
        settings.policy(),
        settings.limits(),
        settings.ranges(store.buffer_bytes),
        Bandwidth(settings.download_max_bytes_per_second),
    )
    return DownloadStage(
        store,
        fetcher,
        Gate(settings.per_tenant(), busy_reason="tenant_busy"),
        keep_free_bytes=keep_free_bytes(settings.store_url(), settings.download_keep_free_bytes),
    )


def keep_free_bytes(store_url: str, wanted: int) -> int:
    """Return how much of the disk of a local store stays free: a tenth if the disk is small."""
    url = urlsplit(store_url)
    if url.scheme != "file":
        return 0
    folder = Path(unquote(url.path))
    while not folder.exists():
        folder = folder.parent
    return min(wanted, int(shutil.disk_usage(folder).total * _MOST_KEPT_FREE))
