"""Discrete events: processes that wait, and what they wait for.

A process is a generator. It yields the seconds that it sleeps, or a function that takes it and has
it resumed later. Time passes between events only, so a day takes as long as what happens on it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import count

Process = Generator["float | Park", None, None]
Park = Callable[[Process], None]
Work = Callable[[list[Process]], Process]


class Simulation:
    """A clock and what is to happen, in seconds; what happens at once happens in order."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0
        self._events: list[tuple[float, int, Process]] = []
        self._order = count()

    def start(self, process: Process, after: float = 0.0) -> None:
        """Begin or resume a process, now or later."""
        heapq.heappush(self._events, (self.now + after, next(self._order), process))

    def run(self, until: float = float("inf")) -> None:
        """Let things happen until a moment, or until nothing is left."""
        events, order = self._events, self._order
        while events and events[0][0] <= until:
            self.now, _, process = heapq.heappop(events)
            wait = next(process, None)
            if isinstance(wait, float | int):  # most are: no call for them
                heapq.heappush(events, (self.now + wait, next(order), process))
            elif wait is not None:
                wait(process)
        if events:
            self.now = until


class Station:
    """Servers that take what comes in its order, as cores or a disk do."""

    def __init__(self, simulation: Simulation, servers: int = 1) -> None:
        """Have so many, all free."""
        self._simulation = simulation
        self._free = [0.0] * servers
        self.servers = servers
        self.served = 0.0

    def visit(self, seconds: float) -> float:
        """Be served for so long; returns the time until it is over, waiting included.

        Who comes later never overtakes, so the end is known at once, and needs no event.
        """
        begins = max(self._simulation.now, self._free[0])
        heapq.heapreplace(self._free, begins + seconds)
        self.served += seconds
        return begins + seconds - self._simulation.now

    def busy_seconds(self) -> float:
        """Seconds of service so far, of all servers, without what is still to be done."""
        now = self._simulation.now
        return self.served - sum(max(0.0, free - now) for free in self._free)


class Pool:
    """Places that are held for as long as it takes, as the slots of workers are."""

    def __init__(self, simulation: Simulation, places: int) -> None:
        """Have so many, all free."""
        self._simulation = simulation
        self.servers = places
        self._held = 0
        self._waiting: deque[Process] = deque()
        self._area = 0.0
        self._since = 0.0

    def acquire(self, process: Process) -> None:
        """Resume the process when it has a place: ``yield pool.acquire``."""
        if self._held < self.servers:
            self._change(1)
            self._simulation.start(process)
        else:
            self._waiting.append(process)

    def release(self) -> None:
        """Give a place back, to who has waited longest."""
        if self._waiting:
            self._simulation.start(self._waiting.popleft())
        else:
            self._change(-1)

    def busy_seconds(self) -> float:
        """For how long places were held, of all of them."""
        self._change(0)
        return self._area

    def _change(self, by: int) -> None:
        now = self._simulation.now
        self._area += self._held * (now - self._since)
        self._since = now
        self._held += by


@dataclass(slots=True)
class Batches:
    """Who comes while a batch is under way shares the next one, as units share a commit.

    ``work`` does what there is to do for a batch and resumes those who are in it.
    """

    simulation: Simulation
    work: Work
    at_once: int
    most: int
    batches: int = 0
    members: int = 0
    _waiting: list[Process] = field(default_factory=list)
    _under_way: int = 0

    def join(self, process: Process) -> None:
        """Be in one of the next batches: ``yield batches.join``."""
        self._waiting.append(process)
        if self._under_way < self.at_once:
            self._under_way += 1
            self.simulation.start(self._rounds())

    def _rounds(self) -> Process:
        while self._waiting:
            batch, self._waiting = self._waiting[: self.most], self._waiting[self.most :]
            self.batches += 1
            self.members += len(batch)
            yield from self.work(batch)
        self._under_way -= 1
