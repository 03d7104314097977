"""Publishes the commands of what is due; the rows are the truth, so it may repeat and fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from services.api import signals
from services.api.domain.turns import Turns
from services.api.rounds import Rounds
from services.api.windows import Windows
from shared.bus import subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import SubjectTaken, TopologyMissing
from shared.bus.publisher import Message
from shared.failpoints import reach
from shared.stage import wire
from shared.stage.messages import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.api.domain.lifecycle import Stage
    from services.api.domain.turns import Due
    from services.api.signals import Signals
    from services.api.use_cases.dispatch import Dispatch
    from shared.bus.bus import Bus

# Until a full queue is looked at again.
_FULL_SECONDS: Final = 0.1
# Nobody tells when somebody deletes a consumer; the workers that miss it may not make it anew.
ENSURE_EVERY: Final = timedelta(seconds=30)


@dataclass(slots=True)
class Dispatcher:
    """Publishes round by round.

    ``ack_wait`` is how long a silent worker keeps a command: the lease.
    """

    bus: Bus
    dispatch: Dispatch
    signals: Signals
    poll: timedelta
    ack_wait: timedelta
    rounds: Rounds = field(default_factory=lambda: Rounds("dispatch_delayed"), init=False)
    windows: Windows = field(init=False)
    _turns: Turns = field(default_factory=Turns, init=False)
    _ensure_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Begin with empty queues."""
        self.windows = Windows(self.bus)

    async def run(self) -> None:
        """Dispatch for ever; raises BusClosed when the connection is gone for good."""
        with self.signals.subscribe(signals.DISPATCH) as due:
            await self.rounds.run(self.round, due, self.poll)

    async def round(self) -> bool:
        """Publish what is next; says whether there may be more.

        What the bus did not take stays due, and so does what there is no room for: that is looked
        for again after a moment. Raises BusUnavailable, Unavailable, BusClosed.
        """
        await self._ensure()
        try:
            left = await self._send_some()
            if left and not await self.windows.look(left):
                await asyncio.sleep(_FULL_SECONDS)
        except TopologyMissing:
            self._ensure_at = 0.0
            raise
        return bool(left)

    async def _send_some(self) -> set[Stage]:
        """Send what there is room for; gives the stages of which some is left."""
        rooms = self.windows.rooms()
        due = await self.dispatch.due(max(rooms.values()) + 1)
        picked = self._turns.pick(due, rooms)
        if picked:
            await self._send(picked)
        left = Counter(each.stage for each in due) - Counter(each.stage for each in picked)
        return set(left)

    async def _send(self, batch: Sequence[Due]) -> None:
        # An older command that is still under way proves nothing, and costs nothing.
        troubles = [
            None if isinstance(trouble, SubjectTaken) else trouble
            for trouble in await self.bus.publish_all([_command(due) for due in batch])
        ]
        out = [due for due, trouble in zip(batch, troubles, strict=True) if trouble is None]
        if out:
            self.windows.sent(due.stage for due in out)
            reach("dispatcher.published")
            await self.dispatch.published(out)
        for trouble in filter(None, troubles):
            raise trouble

    async def _ensure(self) -> None:
        if monotonic() >= self._ensure_at:
            await self.bus.ensure_topology(self.ack_wait)
            self._ensure_at = monotonic() + ENSURE_EVERY.total_seconds()


def _command(due: Due) -> Message:
    subject = subjects.work(due.stage, due.task_id, due.generation)
    # A fresh id each time: the broker would drop a repetition that is meant.
    envelope = Envelope(type=wire.COMMAND, traceparent=due.traceparent or "")
    return Message(subject, wire.encode_command(Command(due.task_id, due.generation)), envelope)
