"""The one place where the downloader is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.downloader.fetch import Fetcher
from services.downloader.guard import AddressGuard
from services.downloader.http import HttpTransport, tls_context
from services.downloader.stage import DownloadStage
from shared.blobs.open import open_store
from shared.blobs.scratch import own_scratch
from shared.bus.roles import Role
from shared.stage.service import serve

if TYPE_CHECKING:
    from services.downloader.settings import DownloaderSettings


async def run(settings: DownloaderSettings) -> None:
    """Download until told to stop."""
    policy = settings.policy()
    store = open_store(settings.store_url(), scratch=own_scratch(settings.data_dir / "scratch"))
    transport = HttpTransport(
        AddressGuard(policy),
        tls_context(settings.download_ca_file),
        settings.limits(),
        settings.download_user_agent,
    )
    async with transport:
        stage = DownloadStage(store, Fetcher(transport, policy, settings.limits()))
        await serve(stage, Role.DOWNLOADER, settings, settings.download_slots)
