"""A cell at work: the life of masters, from the API's door to their record, in simulated time."""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.scaling.costs import FLIGHTS
from bench.scaling.engine import Batches, Pool, Process, Simulation, Station
from bench.scaling.plan import Fleet, Name, Thing, resources
from services.api.db.executor import MAX_BATCH
from services.api.outbox import WINDOW
from services.api.windows import MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.scaling.costs import Costs

_OWN: Final = frozenset({Name.API, Name.SLOTS, Name.VALIDATORS})
Phases = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen while one looked.

    ``busy`` is how many servers of each kind were busy in the mean, ``inside`` how many masters
    were; ``took`` how long each took that came then, in seconds, ascending. ``committing`` is the
    part of the time in which a commit was under way, ``shared`` how many units shared one. ``rate``
    is how many masters a second came, as chance would have it.
    """

    rate: float
    busy: dict[Name, float]
    inside: float
    took: Sequence[float]
    committing: float
    shared: float
    created: int
    completed: int


class Replica:
    """An API process: its core, its transactions and its loops."""

    def __init__(self, cell: Cell) -> None:
        """Be one of this cell."""
        simulation = cell.simulation
        self._cell = cell
        self.core = Station(simulation)
        self.flights = Batches(simulation, self._fly, at_once=FLIGHTS, most=MAX_BATCH)
        self.dispatcher = Batches(simulation, self._dispatch, at_once=1, most=MOST)
        self.relay = Batches(simulation, self._send, at_once=1, most=WINDOW)

    def _fly(self, batch: list[Process]) -> Process:
        costs = self._cell.costs
        yield costs.statements * costs.round_trip_seconds
        # A commit that notifies keeps all others of its database waiting (decision 35).
        yield self._cell.commits.visit(costs.fsync_seconds)
        self._resume(batch)

    def _dispatch(self, batch: list[Process]) -> Process:
        yield self._cell.costs.round_trip_seconds
        yield self._cell.store(Name.COMMANDS, len(batch))
        self._resume(batch)
        yield self.flights.join

    def _send(self, batch: list[Process]) -> Process:
        yield self.flights.join
        yield self._cell.store(Name.EVENTS, len(batch))
        self._resume(batch)
        yield self.flights.join

    def _resume(self, batch: list[Process]) -> None:
        for process in batch:
            self._cell.simulation.start(process)


class Cell:
    """One PostgreSQL, one broker, and the fleet that works for their tenants."""

    def __init__(self, costs: Costs, fleet: Fleet, seed: int) -> None:
        """Have so many of each, all idle."""
        simulation = self.simulation = Simulation()
        self.costs = costs
        self._random = random.Random(seed)  # noqa: S311 - to be the same each time
        many = {
            each.name: each.servers * (1 if each.thing is Thing.CELL else fleet[each.thing])
            for each in resources(costs)
        }
        self._replicas = [Replica(self) for _ in range(many[Name.API])]
        self._slots = Pool(simulation, many[Name.SLOTS])
        self._validators = Pool(simulation, many[Name.VALIDATORS])
        self._stations: dict[str, Station] = {
            name: Station(simulation, many[name]) for name in Name if name not in _OWN
        }
        self.commits = Station(simulation)
        self._inside = Pool(simulation, sys.maxsize)
        self._took: list[tuple[float, float]] = []
        self._created = 0

    def measure(self, rate: float, warming: float, seconds: float) -> Measured:
        """Let so many masters a second come, look after a while, and let all come to an end."""
        simulation = self.simulation
        simulation.start(self._door(rate, warming + seconds))
        simulation.run(warming)
        before = self._busy()
        simulation.run(warming + seconds)
        busy = {name: (now - before[name]) / seconds for name, now in self._busy().items()}
        simulation.run()
        flights = [replica.flights for replica in self._replicas]
        return Measured(
            rate=self._created / (warming + seconds),
            busy={name: busy[name] for name in Name},
            inside=busy["inside"],
            took=sorted(took for began, took in self._took if began >= warming),
            committing=busy["commits"],
            shared=sum(each.members for each in flights) / sum(each.batches for each in flights),
            created=self._created,
            completed=len(self._took),
        )

    def _busy(self) -> dict[str, float]:
        """Seconds for which servers of each kind have been busy."""
        api = sum(replica.core.busy_seconds() for replica in self._replicas)
        kinds: dict[str, Station | Pool] = {
            **self._stations,
            Name.SLOTS: self._slots,
            Name.VALIDATORS: self._validators,
            "inside": self._inside,
            "commits": self.commits,
        }
        return {Name.API: api, **{name: each.busy_seconds() for name, each in kinds.items()}}

    def store(self, stream: Name, messages: int = 1) -> float:
        """Seconds until a stream has them on its disk, one after the other."""
        station = self._stations[stream]
        return [station.visit(self.costs.fsync_seconds) for _ in range(messages)][-1]

    def _door(self, rate: float, until: float) -> Process:
        spread = self.costs.master_spread
        middle = math.log(self.costs.master_gb) - spread**2 / 2
        while True:
            yield self._random.expovariate(rate)
            if self.simulation.now >= until:
                return
            self._created += 1
            self.simulation.start(self._master(self._random.lognormvariate(middle, spread)))

    def _master(self, gb: float) -> Process:
        began = self.simulation.now
        yield self._inside.acquire
        yield from self._step(self.costs.api_create)
        yield self._any().dispatcher.join
        yield from self._stage(self._slots, self._download(gb))
        yield self._any().dispatcher.join
        yield from self._stage(self._validators, self._validate(gb))
        self._inside.release()
        self._took.append((began, self.simulation.now - began))

    def _stage(self, places: Pool, working: Process) -> Process:
        """From the pull to the report: the worker's place is held until the broker has that."""
        yield places.acquire
        yield from self._step(self.costs.api_step)
        yield from working
        yield self.store(Name.REPORTS)
        places.release()
        yield from self._step(self.costs.api_step)

    def _download(self, gb: float) -> Process:
        """A download takes as long as the slowest of what goes on at once."""
        costs = self.costs
        seconds = max(
            costs.downloading(gb),
            self._visit(Name.CORES, gb * costs.download_per_gb),
            self._visit(Name.LINK, gb / costs.download_link_gb_per_second),
            self._visit(Name.STORE, gb / costs.store_gb_per_second),
            self._visit(Name.PARTS, costs.parts_seconds(gb)),
        )
        yield from self._phases(((seconds, costs.short_beat_seconds),))

    def _validate(self, gb: float) -> Process:
        return self._phases(self.costs.judging(gb))

    def _phases(self, phases: Phases) -> Process:
        for seconds, pause in phases:
            self.simulation.start(self._beats(seconds, pause))
            yield seconds

    def _beats(self, seconds: float, pause: float) -> Process:
        costs, ends = self.costs, self.simulation.now + seconds
        while self.simulation.now + pause < ends:
            yield pause
            replica = self._any()
            yield self._visit(Name.NATS, costs.nats_beat)
            yield replica.core.visit(costs.api_beat)
            yield self._visit(Name.POSTGRES, costs.postgres_beat)
            yield replica.flights.join

    def _step(self, api_seconds: float) -> Process:
        """One of the master's commits, by some replica; its event goes out after it."""
        replica = self._any()
        yield self._visit(Name.NATS, self.costs.nats_step)
        yield replica.core.visit(api_seconds)
        yield self._visit(Name.POSTGRES, self.costs.postgres_step)
        yield replica.flights.join
        self.simulation.start(_event(replica))

    def _visit(self, name: Name, seconds: float) -> float:
        return self._stations[name].visit(seconds)

    def _any(self) -> Replica:
        return self._random.choice(self._replicas)


def _event(replica: Replica) -> Process:
    yield replica.relay.join
