"""What will happen when, from the seed alone: the same seed, seconds and shape plan the same."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from tests.support.faults import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faults.shapes import Shape

NATS: Final = "nats"
POSTGRES: Final = "postgres"
S3: Final = "s3"
KINDS: Final = ("kill", "kill", "freeze", "freeze", "term", "wipe", "drop", "blackhole", "slow")
EXTRA: Final = ("squeeze", "stale report", "same command twice")
"""Kinds of faults, as often as they are wanted."""

# What becomes of each sort of task, and how many of a hundred are of it.
SORTS: Final = {
    "small": 46,
    "declared": 10,
    "large": 20,
    "wrong md5": 8,
    "not atmos": 8,
    "missing": 8,
}
FAILING: Final = {
    "wrong md5": "download_failed",
    "missing": "download_failed",
    "not atmos": "validation_failed",
}
"""How the sorts end that cannot be completed."""
_PUBLISHED_BELOW: Final = 0.6
_LEAST_PAUSE, _LONGEST_PAUSE = 1.0, 3.0
# Some longer than the lease, so that there are zombies.
_SHORTEST_FAULT, _LONGEST_FAULT = 0.2, 4.0
_WORK_ENDS: Final = 0.85


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """At so many seconds do this to that for so long."""

    at: float
    kind: str
    target: str
    seconds: float


@dataclass(frozen=True, slots=True, order=True)
class Wish:
    """At so many seconds a client wants this of the task with this number."""

    at: float
    verb: str
    number: int
    sort: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A soak of one shape."""

    faults: tuple[Fault, ...]
    wishes: tuple[Wish, ...]


def links_of(shape: Shape) -> tuple[str, ...]:
    """The links that a soak of this shape goes through."""
    remote = (shapes.API_DATABASE, shapes.STORE) if shape.store == "s3" else ()
    return (shapes.WORKER_NATS, shapes.API_NATS, shapes.WORKER_ORIGIN, *remote)


def make_plan(seed: str, shape: Shape, seconds: float, tasks: int) -> Plan:
    """The plan of a seed."""
    random = Random(f"{seed} {shape}")
    faults = tuple(_faults(random, shape, seconds))
    wishes = tuple(sorted(_wishes(random, seconds, tasks)))
    return Plan(faults, wishes)


def _faults(random: Random, shape: Shape, seconds: float) -> Iterator[Fault]:
    free_at: dict[str, float] = {}
    at = random.uniform(_LEAST_PAUSE, _LONGEST_PAUSE)
    while at < seconds - 1:
        kind = random.choice(KINDS + EXTRA)
        lasts = min(random.uniform(_SHORTEST_FAULT, _LONGEST_FAULT), seconds - at)
        target = random.choice(_targets(kind, shape))
        # One fault at a time to each part; of different parts as many as there happen to be.
        if free_at.get(target, 0.0) <= at:
            free_at[target] = at + lasts + 1
            yield Fault(round(at, 2), kind, target, round(lasts, 2))
        at += random.uniform(_LEAST_PAUSE, _LONGEST_PAUSE)


def _targets(kind: str, shape: Shape) -> list[str]:
    services = [
        f"{role}-{number}"
        for role, count in (
            ("api", shape.apis),
            ("downloader", shape.downloaders),
            ("validator", shape.validators),
            ("publisher", shape.publishers),
        )
        for number in range(1, count + 1)
    ]
    postgres = [POSTGRES] if shape.database == "postgresql" else []
    # The stand-in for S3 forgets everything with its process, which S3 does not.
    s3 = [S3] if shape.store == "s3" else []
    workers = [each for each in services if not each.startswith("api")]
    links = list(links_of(shape))
    return {
        "drop": links,
        "blackhole": links,
        "slow": links,
        "wipe": [NATS],
        "kill": [*services, NATS, *postgres],
        "freeze": [*services, NATS, *s3],
        "term": services,
        "squeeze": workers,
    }.get(kind, ["a task"])


def _wishes(random: Random, seconds: float, tasks: int) -> Iterator[Wish]:
    until = seconds * _WORK_ENDS
    for number in range(tasks):
        (sort,) = random.choices(list(SORTS), list(SORTS.values()))
        at = random.uniform(0, until)
        yield Wish(round(at, 2), "create", number, sort)
        if verb := _verb(sort, random.random()):
            yield Wish(round(random.uniform(at, until), 2), verb, number, sort)


def _verb(sort: str, chance: float) -> str:
    """What else a client wants of a task, if anything."""
    for verb, limit in (("change", 0.12), ("relink", 0.2), ("delete", 0.3)):
        if chance < limit:
            return verb
    if sort in FAILING:
        return "retry"
    return "publish" if chance < _PUBLISHED_BELOW else ""
