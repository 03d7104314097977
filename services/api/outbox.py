"""Sends the events that transactions left in the outbox: at least once, in their order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from services.api import signals
from services.api.inbound import bury
from services.api.rounds import Rounds
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable, MessageTooLarge, TopologyMissing
from shared.failpoints import reach

if TYPE_CHECKING:
    from datetime import timedelta

    from services.api.signals import Signals
    from services.api.use_cases.dead_letters import DeadLetters
    from services.api.use_cases.outbox import Outbox, OutboxEvent
    from shared.bus.bus import Bus

WINDOW: Final = 256


@dataclass(slots=True)
class Relay:
    """Sends round by round. ``ack_wait``: see Dispatcher."""

    bus: Bus
    outbox: Outbox
    dead_letters: DeadLetters
    signals: Signals
    poll: timedelta
    ack_wait: timedelta
    rounds: Rounds = field(default_factory=lambda: Rounds("events_delayed"), init=False)
    # Taken but not sent: kept here, as the outbox would hand them out again only after a while.
    _taken: tuple[OutboxEvent, ...] = field(default=(), init=False)

    async def run(self) -> None:
        """Send for ever; raises BusClosed when the connection is gone for good."""
        with self.signals.subscribe(signals.OUTBOX) as written:
            await self.rounds.run(self.round, written, self.poll)

    async def round(self) -> bool:
        """Send a window of events; says whether there may be more.

        Raises BusUnavailable, Unavailable, BusClosed.
        """
        events = self._taken or await self.outbox.take(WINDOW)
        self._taken = events
        troubles = await asyncio.gather(*(self._send(event) for event in events))
        outcomes = tuple(zip(events, troubles, strict=True))
        sent = [event.id for event, trouble in outcomes if trouble is None]
        if sent:
            reach("relay.published")
            await self.outbox.sent(sent)
        self._taken = tuple(event for event, trouble in outcomes if trouble is not None)
        for trouble in filter(None, troubles):
            if isinstance(trouble, TopologyMissing):
                await self.bus.ensure_topology(self.ack_wait)
            raise trouble
        return len(events) == WINDOW

    async def _send(self, event: OutboxEvent) -> BusUnavailable | None:
        envelope = Envelope(type=event.type, id=str(event.id), time=event.time)
        try:
            await self.bus.publish(event.subject, event.payload, envelope)
        except BusUnavailable as error:
            return error
        except MessageTooLarge as error:
            # It will never go; better one event at rest here than all behind it.
            await bury(self.dead_letters, event.subject, event.payload, error)
        return None
