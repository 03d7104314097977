"""What goes on behind the doors; what needs the broker begins when the broker is there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from services.api.autopublisher import Autopublisher
from services.api.cancels import Cancels
from services.api.claims import Claims
from services.api.db.notifications import listeners
from services.api.deliverer import Deliverer
from services.api.dispatcher import Dispatcher
from services.api.landing import Landing
from services.api.notify.senders import Senders
from services.api.outbox import Relay
from services.api.pruner import Pruner
from services.api.reports import Reports
from services.api.scrub import Scrub
from shared.bus.bus import Bus
from shared.bus.errors import BusUnavailable
from shared.bus.roles import Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from services.api.settings import ApiSettings
    from services.api.signals import Signals
    from services.api.use_cases.use_cases import UseCases

    Loop = Coroutine[object, object, None]

BROKER_SECONDS: Final = 3.0
"""How long the doors stay closed for a broker that is away."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def working(
    settings: ApiSettings, use_cases: UseCases, signals: Signals, stop: asyncio.Event
) -> AsyncIterator[Callable[[], bool]]:
    """Work while the context lasts; a loop that ends sets ``stop``, to be started anew.

    Gives whether the broker keeps us from our work. Raises what ended a loop.
    """
    poll = timedelta(seconds=settings.dispatch_seconds)
    policy = use_cases.subscriptions.targets.policy
    senders = Senders.build(policy, settings.mail_server(), settings.webhook_ca_file)
    messages = _Messages(settings, use_cases, signals, poll)
    async with _running(
        stop,
        messages.run(),
        Scrub(use_cases.blobs, use_cases.links.store, signals).run(),
        Pruner(use_cases.retention).run(),
        Landing(use_cases.receiving).run(),
        Autopublisher(use_cases.publish_jobs).run(),
        Deliverer(use_cases.sending, senders, signals, poll).run(),
        *(each.run() for each in listeners(use_cases.executor.engines, signals)),
    ):
        await messages.wait()
        yield messages.degraded


@dataclass(slots=True)
class _Messages:
    """The loops that speak with the broker."""

    settings: ApiSettings
    use_cases: UseCases
    signals: Signals
    poll: timedelta
    _delayed: Callable[[], bool] | None = field(default=None, init=False)
    _settled: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def degraded(self) -> bool:
        """Whether the broker is away or keeps refusing."""
        return self._delayed is None or self._delayed()

    async def wait(self) -> None:
        """Wait until they go on or have failed, a while for a broker that is away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(BROKER_SECONDS):
                await self._settled.wait()
        if not self._settled.is_set():
            _log.warning("broker_away")

    async def run(self) -> None:
        """Connect, and then go on for ever. Raises ValueError, OSError: see Bus.connect."""
        try:
            bus = await Bus.connect(
                self.settings.nats_url,
                Role.API,
                tls=self.settings.nats_tls(),
                replicas=self.settings.nats_replicas,
                keep_events=self.settings.keep_events(),
            )
            try:
                await self._go_on(bus)
            finally:
                await bus.close()
        finally:
            self._settled.set()

    async def _go_on(self, bus: Bus) -> None:
        cases, lease = self.use_cases, self.use_cases.runs.limits.lease
        letters = cases.dead_letters
        with suppress(BusUnavailable):  # the dispatcher will try again
            await bus.ensure_topology(lease)
        cancels = Cancels(bus)
        self.signals.listen(cancels.notify)
        dispatcher = Dispatcher(bus, cases.dispatch, self.signals, self.poll, lease)
        relay = Relay(bus, cases.outbox, letters, self.signals, self.poll, lease)
        ended = asyncio.Event()
        async with _running(
            ended,
            cancels.run(),
            Claims(bus, cases.runs, letters).run(),
            Reports(bus, cases.runs, letters, lease).run(),
            dispatcher.run(),
            relay.run(),
        ):
            self._delayed = lambda: (
                not bus.connected or dispatcher.rounds.delayed or relay.rounds.delayed
            )
            self._settled.set()
            await ended.wait()


@asynccontextmanager
async def _running(ended: asyncio.Event, *loops: Loop) -> AsyncIterator[None]:
    """Run loops while the context lasts; sets ``ended`` when one ends, and raises what it did."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    for task in tasks:
        task.add_done_callback(lambda _: ended.set())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
