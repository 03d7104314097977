"""Whose turn it is: tenants in turn, and what is waited for before what came in bulk."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from services.api.domain.lifecycle import Priority, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

BULK_EVERY: Final = 8
"""Of so many turns of a stage one is for bulk work, or it would never end beside other work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A stage of a task or a publication that is due.

    ``version`` and ``due_at`` say what was seen of its row.
    """

    task_id: UUID
    tenant: str
    stage: Stage
    priority: Priority
    generation: int
    version: int
    due_at: datetime
    published: int
    traceparent: str | None = None


_Line = tuple[Stage, Priority, str]


@dataclass(slots=True)
class Turns:
    """Who is next, stage by stage; it remembers who had the last turns."""

    _turns: Iterator[int] = field(default_factory=count, init=False)
    _last: dict[_Line, int] = field(default_factory=dict, init=False)
    _given: Counter[Stage] = field(default_factory=Counter, init=False)

    def pick(self, due: Iterable[Due], rooms: Mapping[Stage, int]) -> list[Due]:
        """What is sent next of what is due, not more of a stage than there is room for.

        ``due`` has the longest waiting of each tenant first.
        """
        lines: dict[_Line, deque[Due]] = {}
        for each in due:
            lines.setdefault((each.stage, each.priority, each.tenant), deque()).append(each)
        # Who has nothing to send now has no turn to remember.
        self._last = {line: turn for line, turn in self._last.items() if line in lines}
        return [each for stage in Stage for each in self._of(stage, lines, rooms.get(stage, 0))]

    def _of(self, stage: Stage, lines: Mapping[_Line, deque[Due]], room: int) -> Iterator[Due]:
        queues = {
            priority: deque(
                sorted(
                    (line for line in lines if line[:2] == (stage, priority)),
                    key=lambda line: self._last.get(line, -1),
                )
            )
            for priority in Priority
        }
        while room > 0 and any(queues.values()):
            room -= 1
            self._given[stage] += 1
            line = self._next(stage, queues)
            yield lines[line].popleft()
            self._last[line] = next(self._turns)
            if not lines[line]:
                queues[line[1]].popleft()
            else:
                queues[line[1]].rotate(-1)

    def _next(self, stage: Stage, queues: Mapping[Priority, deque[_Line]]) -> _Line:
        favoured = Priority.BULK if self._given[stage] % BULK_EVERY == 0 else Priority.INTERACTIVE
        queue = queues[favoured] or next(filter(None, queues.values()))
        return queue[0]
