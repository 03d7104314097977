"""The arithmetic: what a master takes of everything, and how many of each a load needs.

The utilisation law is all of it: who is visited so often for so long is busy for the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Final

from bench.scaling.costs import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.scaling.costs import Costs

AIM: Final = 0.7
"""How busy anything is to be in the fullest hour: beyond it, waits grow fast."""
STAGES: Final = 2
"""A master's: each has a command and a report."""


class Thing(StrEnum):
    """What there can be more of. A cell is a PostgreSQL and a broker, with tenants of its own."""

    CELL = "cell"
    API = "API"
    DOWNLOADER = "downloader"
    VALIDATOR = "validator"
    STORE = "store"


class Name(StrEnum):
    """What can be busy."""

    API = "API, its core"
    POSTGRES = "PostgreSQL, cores"
    NATS = "NATS, cores"
    COMMANDS = "NATS, commands"
    REPORTS = "NATS, reports"
    EVENTS = "NATS, events"
    SLOTS = "downloader, slots"
    CORES = "downloader, cores"
    LINK = "downloader, link"
    VALIDATORS = "validator, slot"
    STORE = "store, bytes"
    PARTS = "store, parts"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a thing has: ``servers`` of it, of which a master takes ``seconds``."""

    name: Name
    thing: Thing
    servers: int
    seconds: float

    def load(self, rate: float, things: int = 1) -> float:
        """How busy so many things are with so many masters a second; above 1 is too much."""
        return rate * self.seconds / (self.servers * things)


def resources(costs: Costs, replicas: int = 1) -> tuple[Resource, ...]:
    """All that can be busy, with a master of the mean size and so many API replicas in a cell."""
    gb, message = costs.master_gb, costs.fsync_seconds
    beats = costs.beats(gb, replicas)
    postgres = costs.postgres_job + beats * costs.postgres_beat
    nats = costs.nats_job + beats * costs.nats_beat
    judging = sum(seconds for seconds, _ in costs.judging(gb))
    rows = (
        (Name.API, Thing.API, 1, costs.api_job + beats * costs.api_beat),
        (Name.POSTGRES, Thing.CELL, costs.postgres_cores, postgres),
        (Name.NATS, Thing.CELL, costs.nats_cores, nats),
        # Each message has a fsync of its own: nats-server.conf, sync_interval.
        (Name.COMMANDS, Thing.CELL, 1, STAGES * message),
        (Name.REPORTS, Thing.CELL, 1, STAGES * message),
        (Name.EVENTS, Thing.CELL, 1, STEPS * message),
        (Name.SLOTS, Thing.DOWNLOADER, costs.download_slots, costs.downloading(gb)),
        (Name.CORES, Thing.DOWNLOADER, costs.download_cores, gb * costs.download_per_gb),
        (Name.LINK, Thing.DOWNLOADER, 1, gb / costs.download_link_gb_per_second),
        (Name.VALIDATORS, Thing.VALIDATOR, 1, judging),
        (Name.STORE, Thing.STORE, 1, gb / costs.store_gb_per_second),
        (Name.PARTS, Thing.STORE, 1, costs.parts_seconds(gb)),
    )
    return tuple(Resource(name, thing, int(many), each) for name, thing, many, each in rows)


Fleet = dict[Thing, int]
"""How many of each there are; of all but cells, in one cell."""


def fleet(needed: Sequence[Resource], rate: float) -> Fleet:
    """As few as do so many masters a second without more than ``AIM`` of anything busy."""
    cells = _count(needed, Thing.CELL, rate)
    others = [thing for thing in Thing if thing is not Thing.CELL]
    return {Thing.CELL: cells, **{thing: _count(needed, thing, rate / cells) for thing in others}}


def _count(needed: Sequence[Resource], thing: Thing, rate: float) -> int:
    return max(ceil(each.load(rate) / AIM) for each in needed if each.thing is thing)


def fullest(needed: Sequence[Resource]) -> list[Resource]:
    """With one of each thing: what is full first, then second, and so on."""
    return sorted(needed, key=lambda each: -each.load(1))


def seconds_alone(costs: Costs) -> float:
    """How long a master of the mean size takes that never waits for another one."""
    gb, message = costs.master_gb, costs.fsync_seconds
    working = costs.downloading(gb) + sum(seconds for seconds, _ in costs.judging(gb))
    deciding = costs.api_job + costs.postgres_job + costs.nats_job + STEPS * costs.commit_seconds()
    return working + deciding + STAGES * (costs.round_trip_seconds + 2 * message)
