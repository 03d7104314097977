"""The one place where the API service is put together."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from services.api.cancels import Cancels
from services.api.claims import Claims
from services.api.db.engine import open_engines
from services.api.dispatcher import Dispatcher
from services.api.grpc.messages import event_payload
from services.api.grpc.server import serve as serve_grpc
from services.api.http.server import make_app
from services.api.http.server import serve as serve_http
from services.api.outbox import Relay
from services.api.reports import Reports
from services.api.scrub import Scrub
from services.api.signals import Signals
from services.api.use_cases.use_cases import UseCases
from shared.blobs.open import open_store
from shared.blobs.scratch import own_scratch
from shared.bus.bus import Bus
from shared.bus.roles import Role
from shared.telemetry.ready import write_ready_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from services.api.settings import ApiSettings

READY_EVERY_SECONDS = 1.0

_log = structlog.get_logger(__name__)


async def run(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT; then answer what was begun and end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    signals = Signals()
    use_cases = UseCases.build(
        open_engines(settings.database()),
        signals,
        event_payload,
        settings.policy(),
        settings.limits(),
        timedelta(seconds=settings.dispatch_seconds),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(use_cases.executor.close)
        bus = await Bus.connect(settings.nats_url, Role.API)
        stack.push_async_callback(bus.close)
        await stack.enter_async_context(_loops(settings, use_cases, bus, signals, stop))
        await stack.enter_async_context(_doors(settings, use_cases))
        await stop.wait()
        _log.info("api_stopping")


@asynccontextmanager
async def _doors(settings: ApiSettings, use_cases: UseCases) -> AsyncIterator[None]:
    """Both doors open, over the same use cases in the same loop."""
    grpc = await serve_grpc(use_cases, settings.grpc_listen)
    host, _, port = settings.http_listen.rpartition(":")
    app = make_app(use_cases, public_url=settings.public_url, ready=use_cases.ready)
    runner, http_port = await serve_http(app, host, int(port))
    grpc_host = settings.grpc_listen.rpartition(":")[0]
    http_url, grpc_address = f"http://{host}:{http_port}", f"{grpc_host}:{grpc.port}"
    tell = asyncio.create_task(_tell_readiness(use_cases.ready, grpc.set_ready))
    write_ready_file(settings.ready_file, http=http_url, grpc=grpc_address)
    _log.info("api_serving", http=http_url, grpc=grpc_address)
    try:
        yield
    finally:
        tell.cancel()
        await asyncio.gather(grpc.stop(), runner.cleanup())


async def _tell_readiness(
    ready: Callable[[], Awaitable[bool]], set_ready: Callable[..., Awaitable[None]]
) -> None:
    while True:
        await set_ready(ready=await ready())
        await asyncio.sleep(READY_EVERY_SECONDS)


@asynccontextmanager
async def _loops(
    settings: ApiSettings, use_cases: UseCases, bus: Bus, signals: Signals, stop: asyncio.Event
) -> AsyncIterator[None]:
    """The loops behind the doors; one that ends ends the service, to be started anew."""
    lease, poll = use_cases.runs.limits.lease, timedelta(seconds=settings.dispatch_seconds)
    letters = use_cases.dead_letters
    cancels = Cancels(bus)
    signals.listen(cancels.notify)
    store = open_store(settings.store_url(), scratch=own_scratch(settings.data_dir / "scratch"))
    await bus.ensure_topology(lease)
    running: list[Coroutine[object, object, None]] = [
        cancels.run(),
        Claims(bus, use_cases.runs, letters).run(),
        Reports(bus, use_cases.runs, letters, lease).run(),
        Dispatcher(bus, use_cases.dispatch, signals, poll, lease).run(),
        Relay(bus, use_cases.outbox, letters, signals, poll, lease).run(),
        Scrub(use_cases.blobs, store, signals).run(),
    ]
    tasks = [asyncio.create_task(loop) for loop in running]
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
