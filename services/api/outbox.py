"""Sends the events that transactions left in the outbox: at least once, in their order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from services.api import signals
from services.api.inbound import bury
from services.api.rounds import Rounds
from shared.bus.envelope import Envelope
from shared.bus.errors import MessageTooLarge, TopologyMissing
from shared.bus.publisher import Message
from shared.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from services.api.signals import Signals
    from services.api.use_cases.dead_letters import DeadLetters
    from services.api.use_cases.outbox import Outbox, OutboxEvent
    from shared.bus.bus import Bus
    from shared.bus.errors import BusError

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
        outcomes = await self._send(events)
        sent = [event.id for event, trouble in outcomes if trouble is None]
        if sent:
            reach("relay.published")
            await self.outbox.sent(sent)
        self._taken = tuple(event for event, trouble in outcomes if trouble is not None)
        for _, trouble in outcomes:
            if isinstance(trouble, TopologyMissing):
                await self.bus.ensure_topology(self.ack_wait)
            if trouble is not None:
                raise trouble
        return len(events) == WINDOW

    async def _send(
        self, events: Sequence[OutboxEvent]
    ) -> list[tuple[OutboxEvent, BusError | None]]:
        """What became of each; None is for what needs not be sent any more."""
        messages = [Message(each.subject, each.payload, _envelope(each)) for each in events]
        outcomes = list(zip(events, await self.bus.publish_all(messages), strict=True))
        for index, (event, trouble) in enumerate(outcomes):
            if isinstance(trouble, MessageTooLarge):
                # It will never go; better one event at rest here than all behind it.
                await bury(self.dead_letters, event.subject, event.payload, trouble)
                outcomes[index] = (event, None)
        return outcomes


def _envelope(event: OutboxEvent) -> Envelope:
    return Envelope(type=event.type, id=str(event.id), time=event.time)
