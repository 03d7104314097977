"""Sends webhooks and mail that are due: at least once, and no slow receiver holds up another.

What is being sent when the process dies is due again when its taking ends. A receiver tells a
repetition by its webhook-id, which is the event's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from services.api import signals
from services.api.domain.subscriptions import Outcome
from services.api.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

    from services.api.domain.subscriptions import Outgoing
    from services.api.notify.senders import Sender
    from services.api.signals import Signals, Subscription
    from services.api.use_cases.sending import Result, Sending

AT_ONCE: Final = 16
PER_HOST: Final = 4

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Deliverer:
    """Sends round by round; an attempt that ends wakes it as well."""

    sending: Sending
    sender: Sender
    signals: Signals
    poll: timedelta
    rounds: Rounds = field(default_factory=lambda: Rounds("deliveries_delayed"), init=False)
    _busy: dict[asyncio.Task[Result], str] = field(default_factory=dict, init=False)
    # Ended but not written down: kept here while the database is away.
    _ended: list[Result] = field(default_factory=list, init=False)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being sent, nor waits to be written down."""
        return not self._busy and not self._ended

    async def run(self) -> None:
        """Send for ever."""
        async with self.hanging_up():
            with self.signals.subscribe(signals.DELIVERIES) as written:
                await self.rounds.run(lambda: self.round(written), written, self.poll)

    async def round(self, ended: Subscription) -> bool:
        """Write down what has ended and begin what is due; says whether there may be more.

        ``ended`` is told of every attempt that ends. Raises Unavailable.
        """
        if self._ended:
            results = tuple(self._ended)
            await self.sending.settle(results)
            del self._ended[: len(results)]
        room = AT_ONCE - len(self._busy)
        if not room:
            return False
        batch = await self.sending.take(room, Counter(self._busy.values()), PER_HOST)
        for outgoing in batch:
            attempt = asyncio.create_task(self._attempt(outgoing))
            self._busy[attempt] = outgoing.host
            attempt.add_done_callback(lambda task: self._note(task, ended))
        return len(batch) == room

    async def _attempt(self, outgoing: Outgoing) -> Result:
        try:
            outcome = await self.sender.send(outgoing)
        except Exception:  # noqa: BLE001 - an attempt's edge: what cannot be sent must not come for ever
            _log.exception("delivery_broken", delivery=str(outgoing.id))
            outcome = Outcome(error="internal_error")
        _tell(outgoing, outcome)
        return outgoing, outcome

    def _note(self, attempt: asyncio.Task[Result], ended: Subscription) -> None:
        del self._busy[attempt]
        if not attempt.cancelled():
            self._ended.append(attempt.result())
            ended.set()

    @asynccontextmanager
    async def hanging_up(self) -> AsyncIterator[None]:
        """At the end break off what is being sent: another replica will send it again."""
        try:
            yield
        finally:
            attempts = [*self._busy]
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)


def _tell(outgoing: Outgoing, outcome: Outcome) -> None:
    """Log a failure, without the target: its path and query may be secrets."""
    if outcome.error is not None:
        _log.info(
            "delivery_failed",
            delivery=str(outgoing.id),
            subscription=str(outgoing.subscription_id or ""),
            host=outgoing.host,
            attempt=outgoing.attempts + 1,
            error=outcome.error,
            status=outcome.status,
        )
