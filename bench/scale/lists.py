"""Lists: each door's pages, filters and orders, and the other lists that grow with the tasks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.scale.case import DEEP, FLAT, Case
from bench.scale.doors import DOORS, RECORD_FILTERS, STATUSES
from bench.scale.spread import LARGE, SMALL
from services.api.domain.nouns import DISTRIBUTORS, PRODUCTS
from services.api.domain.queries import RecordQuery, Slice, TaskQuery, position
from services.api.domain.task import DOLBY_ATMOS
from tests.support.core import a_principal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from uuid import UUID

    from bench.scale.doors import Door
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import Order
    from services.api.use_cases.import_tasks import ImportTasks
    from tests.support.core import Core

    Query = Mapping[str, Any]
    List = Callable[[Query], Awaitable[Page[Any]]]
    Samples = Mapping[str, Mapping[str, Any]]

_WHO = a_principal(LARGE)


async def list_cases(core: Core) -> list[Case]:
    """Those of a core over a database that was filled."""
    use_cases = core.use_cases
    samples, found = await _samples(core), list[Case]()
    for door in DOORS:
        tasks = _tasks(replace(use_cases.import_tasks, only=door.only), _WHO)
        found += await _pages(f"{door.name} list", tasks)
        found += [
            case
            for order in door.orders()
            for case in await _sorted(f"{door.name} list by {_told(order)}", tasks, order)
        ]
        found += _filtered(door, tasks, samples)

    async def records(query: Query) -> Page[Any]:
        return await use_cases.records.list(_WHO, RecordQuery(**query))

    async def log(query: Query) -> Page[Any]:
        return await use_cases.audit.list(_WHO, Slice(**query))

    found += await _pages("records", records)
    found += _narrowed("records", records, RECORD_FILTERS, samples)
    found += await _pages("audit log", log)
    small = _tasks(use_cases.import_tasks, a_principal(SMALL))
    return [*found, _case("gRPC list of a small tenant, first page", small, {})]


def _tasks(tasks: ImportTasks, who: Principal) -> List:
    return lambda query: tasks.list(who, TaskQuery(**query))


def _case(name: str, list_: List, query: Query, allowed: float = FLAT) -> Case:
    async def run(_: None) -> None:
        if not (await list_(query)).items:
            raise LookupError(f"{name}: there is nothing on the page")

    return Case(name, run, allowed=allowed)


async def _pages(name: str, list_: List) -> list[Case]:
    """The first, a middle and the last page by number, and pages by cursor from the middle."""
    total, size = (await list_({})).total, Slice().limit
    middle, last = (number // size * size for number in (total // 2, total - 1))
    there = position((await list_({"skip": middle, "limit": 1})).items[0], ())
    case = partial(_case, list_=list_)
    return [
        case(f"{name}, first page", query={}),
        case(f"{name}, middle page", query={"skip": middle}, allowed=DEEP),
        case(f"{name}, last page", query={"skip": last}),
        case(f"{name}, after a cursor", query={"after": there}),
        case(f"{name}, before a cursor", query={"before": there}),
    ]


async def _sorted(name: str, list_: List, order: Order) -> list[Case]:
    """The first page in an order, and those around its middle by cursor."""
    middle = (await list_({})).total // 2
    there = position((await list_({"skip": middle, "limit": 1, "order": order})).items[0], order)
    return [
        _case(f"{name}, first page", list_, {"order": order}),
        _case(f"{name}, after a cursor", list_, {"order": order, "after": there}),
        _case(f"{name}, before a cursor", list_, {"order": order, "before": there}),
    ]


def _filtered(door: Door, list_: List, samples: Samples) -> Iterator[Case]:
    yield from _narrowed(door.name, list_, door.filters, samples)
    if {"statuses", "distributors"} <= {*door.filters}:
        of = next(iter(samples["distributors"].values()))
        both = {"distributors": of, "statuses": STATUSES["completed"]}
        yield _case(f"{door.name} list, of a distributor and completed", list_, both)


def _narrowed(name: str, list_: List, filters: tuple[str, ...], samples: Samples) -> Iterator[Case]:
    for field in filters:
        for told, value in samples[field].items():
            yield _case(f"{name} list, {told}", list_, {field: value})


def _told(order: Order) -> str:
    return ", ".join(f"{'-' * falls}{name}" for name, falls in order)


async def _samples(core: Core) -> Samples:
    """By the query's field: values to ask for, of a task in the middle, each with its words."""
    use_cases, types = core.use_cases, frozenset({DOLBY_ATMOS})
    tasks = replace(use_cases.import_tasks, only=types)
    done = TaskQuery(statuses=STATUSES["completed"], limit=1)
    total = (await tasks.list(_WHO, done)).total
    task = (await tasks.list(_WHO, replace(done, skip=total // 2))).items[0]
    product = await use_cases.catalogue[PRODUCTS.collection].get(_WHO, _some(task.product_id))
    distributors = use_cases.catalogue[DISTRIBUTORS.collection]
    distributor = await distributors.get(_WHO, _some(task.distributor_id))
    return {
        "statuses": STATUSES,
        # Both tasks and records are asked for these.
        "ids": {"with an id": frozenset({task.id, task.record_id})},
        "numbers": {"with a number": frozenset({task.number})},
        "target_ids": {"of a track": frozenset({task.target and task.target.id})},
        "products": {"of a product": frozenset({product.id})},
        "product_numbers": {"of a product": frozenset({product.number})},
        "distributors": {"of a distributor": frozenset({distributor.id})},
        "distributor_numbers": {"of a distributor": frozenset({distributor.number})},
        "isrcs": {"with an ISRC": frozenset({task.isrc})},
    }


def _some(id_: UUID | None) -> UUID:
    if id_ is None:
        raise LookupError("a task belongs nowhere")
    return id_
