"""The one place where the API service is put together."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from ssl import Purpose, SSLContext, create_default_context
from typing import TYPE_CHECKING

import structlog

from services.api.db.alone import alone
from services.api.db.engine import ANSWER_SECONDS, open_engines
from services.api.db.schema import check_tables
from services.api.domain.errors import Unavailable, WrongTables
from services.api.grpc.messages import event_data, event_payload
from services.api.grpc.server import serve as serve_grpc
from services.api.grpc.tls import Tls
from services.api.http.accepting import LoopTroubles
from services.api.http.limits import Limits
from services.api.http.server import make_app
from services.api.http.server import serve as serve_http
from services.api.limits import RateLimiter
from services.api.loops import working
from services.api.signals import Signals
from services.api.use_cases.use_cases import UseCases
from shared.blobs.open import open_store
from shared.blobs.scratch import own_scratch
from shared.profiles import profile_names
from shared.stopping import told_by_signals
from shared.telemetry.ready import write_ready_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from services.api.db.engine import Engines
    from services.api.settings import ApiSettings
    from services.api.use_cases.tokens import Tokens, Verify

READY_EVERY_SECONDS = 1.0
_GARBAGE = (20_000, 20, 50)
"""Objects more than before a look at the newest; such looks before one further back, and again."""

_log = structlog.get_logger(__name__)


async def run(settings: ApiSettings, token_file: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then answer what was begun and end.

    With a ``token_file`` the database is prepared first, as ``preparing`` says.
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(LoopTroubles())
    with told_by_signals(stop.set):
        await _run(settings, stop, token_file)


async def _run(settings: ApiSettings, stop: asyncio.Event, token_file: Path | None) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    signals = Signals()
    use_cases = UseCases.build(
        open_engines(settings.database(), ANSWER_SECONDS),
        signals,
        event_payload,
        settings.policy(),
        settings.limits(),
        profile_names(settings.profiles_dir),
        timedelta(seconds=settings.dispatch_seconds),
        _verify(settings),
        store=open_store(settings.store_url(), scratch=own_scratch(settings.data_dir / "scratch")),
        keys=settings.keys(),
        describe=event_data,
        caps=settings.caps(),
        targets=settings.targets(),
        retry_scale=settings.webhook_retry_scale,
        keep=settings.keep(),
        upload_max_bytes=settings.upload_max_bytes,
        upload_direct=settings.upload_direct,
        pictures_confined=settings.upload_confined,
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(alone(settings.database()))
        stack.push_async_callback(use_cases.executor.close)
        if token_file is not None:
            await _prepare(use_cases.tokens, token_file)
        await _check_tables(use_cases.executor.engines)
        loops = working(settings, use_cases, signals, stop)
        degraded = await stack.enter_async_context(loops)
        if not stop.is_set():  # or it could not even begin
            await stack.enter_async_context(_doors(settings, use_cases, degraded))
        _leave_in_peace()
        await stop.wait()
        _log.info("api_stopping")


def _verify(settings: ApiSettings) -> Verify | None:
    """Who knows the JWTs of an identity provider, if one is believed."""
    trust = settings.trust()
    if trust is None:
        return None
    from services.api.jwt import JwtVerifier

    return JwtVerifier(trust, trust.keys()).verify


def _leave_in_peace() -> None:
    """Look no more for garbage among what was made at the start, and less often among the rest.

    Each look at half a million objects that stay would hold every request for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


async def _prepare(tokens: Tokens, token_file: Path) -> None:
    """Raise RuntimeError for a database that cannot be prepared, also for one that is away."""
    from services.api.preparing import prepare

    try:
        await prepare(tokens, token_file)
    except Unavailable as refusal:
        raise RuntimeError(refusal.detail) from None


async def _check_tables(engines: Engines) -> None:
    """Raise RuntimeError for tables that this version cannot work with.

    A database that does not answer yet may come.
    """
    try:
        await check_tables(engines)
    except WrongTables as wrong:
        raise RuntimeError(wrong.detail) from None
    except Unavailable as away:
        _log.warning("database_away", error=away.detail)


@asynccontextmanager
async def _doors(
    settings: ApiSettings, use_cases: UseCases, degraded: Callable[[], bool]
) -> AsyncIterator[None]:
    """Both doors open, over the same use cases in the same loop."""
    limiter = RateLimiter(settings.rate_limit_per_minute)
    host, _, port = settings.http_listen.rpartition(":")
    app = make_app(
        use_cases,
        public_url=settings.public_url,
        ready=use_cases.ready,
        limiter=limiter,
        file_slots=settings.slots(),
        upload_slots=settings.upload_slots,
        upload_origins=settings.upload_origins,
        degraded=degraded,
        daily_writes=settings.idol_daily_writes or None,
        datocms_limiter=RateLimiter(
            settings.datocms_rate_limit, window=settings.datocms_rate_seconds
        ),
    )
    limits, tls = Limits(max_connections=settings.max_connections), http_tls(settings)
    runner, http_port = await serve_http(app, host, int(port), limits, tls)
    http_url = f"{'https' if tls else 'http'}://{host}:{http_port}"
    grpc = await serve_grpc(
        use_cases.reached_at(settings.public_url or http_url),
        settings.grpc_listen,
        limiter=limiter,
        tls=_grpc_tls(settings),
    )
    grpc_host = settings.grpc_listen.rpartition(":")[0]
    grpc_address = f"{grpc_host}:{grpc.port}"
    tell = asyncio.create_task(_tell_readiness(use_cases.ready, grpc.set_ready))
    write_ready_file(settings.ready_file, http=http_url, grpc=grpc_address)
    _log.info("api_serving", http=http_url, grpc=grpc_address)
    try:
        yield
    finally:
        tell.cancel()
        await asyncio.gather(grpc.stop(), runner.cleanup())


def _grpc_tls(settings: ApiSettings) -> Tls | None:
    cert, key = settings.grpc_tls_cert_file, settings.grpc_tls_key_file
    if cert is None or key is None:
        return None
    return Tls(cert_file=cert, key_file=key, client_ca_file=settings.grpc_tls_client_ca_file)


def http_tls(settings: ApiSettings) -> SSLContext | None:
    """What the HTTP door is opened with; None for plain HTTP. Raises OSError for bad files."""
    if settings.http_tls_cert_file is None:
        return None
    context = create_default_context(Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.http_tls_cert_file, settings.http_tls_key_file)
    return context


async def _tell_readiness(
    ready: Callable[[], Awaitable[bool]], set_ready: Callable[..., Awaitable[None]]
) -> None:
    while True:
        await set_ready(ready=await ready())
        await asyncio.sleep(READY_EVERY_SECONDS)
