"""The engine against the closed forms of queues, and what its pieces promise."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from bench.scaling.engine import Batches, Pool, Process, Simulation, Station

CUSTOMERS = 40_000
SERVICE = 1.0


@dataclass
class Queue:
    """Customers who come at random, at one server or several."""

    busy_share: float
    servers: int = 1
    constant: bool = False
    seed: int = 1
    simulation: Simulation = field(default_factory=Simulation)
    took: list[float] = field(default_factory=list)

    def run(self, *, held: bool = False) -> Queue:
        """Serve all of them; in places that they hold themselves if so."""
        self.random = random.Random(self.seed)
        self.station = Station(self.simulation, self.servers)
        self.pool = Pool(self.simulation, self.servers)
        self.inside = Pool(self.simulation, CUSTOMERS)
        self.simulation.start(self._arrivals(held=held))
        self.simulation.run()
        return self

    @property
    def rate(self) -> float:
        return self.busy_share * self.servers / SERVICE

    @property
    def mean(self) -> float:
        return sum(self.took) / len(self.took)

    def _arrivals(self, *, held: bool) -> Process:
        for _ in range(CUSTOMERS):
            yield self.random.expovariate(self.rate)
            self.simulation.start(self._customer(held=held))

    def _customer(self, *, held: bool) -> Process:
        began = self.simulation.now
        seconds = SERVICE if self.constant else self.random.expovariate(1 / SERVICE)
        yield self.inside.acquire
        if held:
            yield self.pool.acquire
            yield seconds
            self.pool.release()
        else:
            yield self.station.visit(seconds)
        self.inside.release()
        self.took.append(self.simulation.now - began)


def test_a_server_with_random_services_makes_wait_as_the_formula_says() -> None:
    queue = Queue(0.7).run()
    assert queue.mean == pytest.approx(SERVICE / (1 - 0.7), rel=0.05)


def test_a_server_with_constant_services_makes_wait_half_as_long() -> None:
    queue = Queue(0.7, constant=True).run()
    assert queue.mean - SERVICE == pytest.approx(0.7 * SERVICE / (2 * (1 - 0.7)), rel=0.05)


@pytest.mark.parametrize("held", [False, True])
def test_two_servers_share_a_queue(held: bool) -> None:  # noqa: FBT001 - a parameter
    queue = Queue(0.7, servers=2).run(held=held)
    assert queue.mean == pytest.approx(SERVICE / (1 - 0.7**2), rel=0.05)


@pytest.mark.parametrize("held", [False, True])
def test_who_is_visited_is_busy_for_rate_times_service(held: bool) -> None:  # noqa: FBT001 - a parameter
    queue = Queue(0.6, servers=2).run(held=held)
    served = queue.pool if held else queue.station
    share = served.busy_seconds() / queue.simulation.now / 2
    assert share == pytest.approx(0.6, rel=0.02)


def test_as_many_are_inside_as_come_while_one_is() -> None:
    queue = Queue(0.7).run()
    inside = queue.inside.busy_seconds() / queue.simulation.now
    assert inside == pytest.approx(queue.rate * queue.mean, rel=0.02)


def test_what_is_still_to_be_done_does_not_count_as_busy() -> None:
    simulation = Simulation()
    station = Station(simulation)
    assert station.visit(3.0) == 3.0
    assert station.visit(2.0) == 5.0
    simulation.start(_sleep(100.0))
    simulation.run(until=4.0)
    assert station.busy_seconds() == 4.0


def test_the_same_seed_gives_the_same() -> None:
    first, second, other = (Queue(0.7, seed=seed).run().took for seed in (1, 1, 2))
    assert first == second != other


def test_who_comes_while_a_batch_is_under_way_shares_the_next_one() -> None:
    simulation = Simulation()
    sizes: list[int] = []
    ends: list[float] = []

    def work(batch: list[Process]) -> Process:
        sizes.append(len(batch))
        yield 1.0
        for process in batch:
            simulation.start(process)

    batches = Batches(simulation, work, at_once=1, most=4)

    def member() -> Process:
        yield batches.join
        ends.append(simulation.now)

    for begins in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        simulation.start(member(), after=begins)
    simulation.run()
    assert sizes == [1, 4, 1]
    assert ends == [1.0] + [2.0] * 4 + [3.0]
    assert (batches.batches, batches.members) == (3, 6)


def _sleep(seconds: float) -> Process:
    yield seconds
