"""Fetches a list of URLs as a worker does: ``python -m bench.download.ours --help``.

The stage, the engine, the guard and the store are those of the service; eight runs at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from services.downloader.app import download_stage
from services.downloader.settings import DownloaderSettings
from shared.origin.guard import AddressGuard
from shared.origin.tls import tls_context
from shared.stage.job import Job, Stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from services.downloader.transport import Transport

    Opened = AbstractContextManager[Transport]


def _http(settings: DownloaderSettings, guard: AddressGuard) -> Opened:
    from services.downloader.http import HttpTransport

    tls = tls_context(settings.download_ca_file)
    return HttpTransport(guard, tls, settings.limits(), settings.user_agent())


def _aiohttp(settings: DownloaderSettings, guard: AddressGuard) -> Opened:
    from bench.download.on_aiohttp import AiohttpTransport

    return AiohttpTransport(guard, tls_context(settings.download_ca_file), settings.user_agent())


def _pycurl(settings: DownloaderSettings, guard: AddressGuard) -> Opened:
    from bench.download.on_pycurl import CurlTransport

    return CurlTransport(guard, settings.download_ca_file or Path(), settings.user_agent())


TRANSPORTS: dict[str, Callable[[DownloaderSettings, AddressGuard], Opened]] = {
    "http": _http,
    "aiohttp": _aiohttp,
    "pycurl": _pycurl,
}


async def fetch(transport: Transport, settings: DownloaderSettings, urls: list[str]) -> None:
    """Fetch all; raises SystemExit with an outcome that is no success."""
    stage = download_stage(settings, transport)
    slots = asyncio.Semaphore(settings.download_slots)

    async def one(url: str) -> None:
        job = Job(
            task_id=uuid4(),
            generation=1,
            run_id=uuid4(),
            tenant="bench",
            master_type="dolby_atmos",
            source_uri=url,
        )
        async with slots:
            outcome = await stage.run(job, lambda _done, _total: None)
        if not isinstance(outcome, Stored):
            raise SystemExit(str(outcome))

    await asyncio.gather(*map(one, urls))


def main() -> None:
    """Fetch what the arguments say, with the settings that a worker has by itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("transport", choices=TRANSPORTS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("ca", type=Path)
    parser.add_argument("urls", type=Path)
    parser.add_argument("ready", type=Path, help="takes what our start cost, as JSON")
    parser.add_argument("--fsync", action="store_true", help="make blobs durable, as a worker does")
    options = parser.parse_args()
    if not options.fsync:  # the tools beside us do not either
        os.fsync = lambda fd: None  # noqa: ARG005 - called by position, named as it is there
    urls = options.urls.read_text().split()
    settings = DownloaderSettings(
        data_dir=options.folder,
        blobs_url=(options.folder / "blobs").as_uri(),
        download_allow_networks="127.0.0.1/32",
        download_allow_ports=str(urlsplit(urls[0]).port),
        download_ca_file=options.ca,
    )
    with TRANSPORTS[options.transport](settings, AddressGuard(settings.policy())) as transport:
        options.ready.write_text(json.dumps({"at": time.monotonic(), "cpu": time.process_time()}))
        asyncio.run(fetch(transport, settings, urls))


if __name__ == "__main__":
    main()
