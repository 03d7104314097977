"""Tasks are found by the product and the distributor that their targets are or belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.db.migrations import downgrade, upgrade
from services.api.domain.lifecycle import Status
from services.api.domain.queries import TaskQuery
from services.api.domain.task import Target
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import a_principal

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.domain.task import Task
    from tests.support.core import Core

WHO = a_principal()
URL = "https://cdn.example.com/a.wav"


async def item(core: Core, collection: str, **links: Target) -> Target:
    """An item with these links."""
    title = "display_name" if collection == "distributors" else "title"
    fields: dict[str, object] = {title: "x", **links}
    made = await core.use_cases.catalogue[collection].create(WHO, fields)
    return Target(collection, made.id)


async def task(core: Core, target: Target | None, master_type: str = "cd") -> Task:
    """A pending task for a target."""
    fields = TaskFields(source_uri=URL, master_type=master_type, target=target)
    return await core.use_cases.import_tasks.create(WHO, fields)


async def found(core: Core, **which: object) -> set[UUID]:
    """The tasks of a query, whose total is right."""
    page = await core.use_cases.import_tasks.list(WHO, TaskQuery(**which))  # type: ignore[arg-type] # as given
    assert page.total == len(page.items)
    return {each.id for each in page.items}


async def at(core: Core, product: Target | None, distributor: Target | None) -> list[set[UUID]]:
    """The tasks of a product and of a distributor."""
    return [
        set() if product is None else await found(core, products=frozenset({product.id})),
        set()
        if distributor is None
        else await found(core, distributors=frozenset({distributor.id})),
    ]


async def test_by_what_the_target_is_or_belongs_to(any_core: Core) -> None:
    distributor = await item(any_core, "distributors")
    product = await item(any_core, "products", distributor=distributor)
    loose = await item(any_core, "products")
    targets = [product] + [
        await item(any_core, collection, product=product)
        for collection in ("tracks", "videos", "assetAttachments")
    ]
    made = {(await task(any_core, target)).id for target in targets}
    alone = await task(any_core, await item(any_core, "tracks", product=loose))
    await task(any_core, await item(any_core, "tracks"))
    await task(any_core, None)
    assert await at(any_core, product, distributor) == [made, made]
    assert await at(any_core, loose, None) == [{alone.id}, set()]
    numbers = frozenset({1, 99})
    assert await found(any_core, product_numbers=numbers) == made
    assert await found(any_core, distributor_numbers=numbers) == made
    pair = {"distributors": frozenset({distributor.id}), "distributor_numbers": frozenset({2})}
    assert await found(any_core, **pair) == set()
    pending, failed = frozenset({Status.PENDING}), frozenset({Status.DOWNLOAD_FAILED})
    assert await found(any_core, distributor_numbers=numbers, statuses=pending) == made
    assert await found(any_core, distributor_numbers=numbers, statuses=failed) == set()
    atmos = frozenset({"dolby_atmos"})
    assert await found(any_core, distributor_numbers=numbers, master_types=atmos) == set()


async def test_they_move_with_their_targets(any_core: Core) -> None:
    catalogue, tasks = any_core.use_cases.catalogue, any_core.use_cases.import_tasks
    one, other = [await item(any_core, "distributors") for _ in range(2)]
    product = await item(any_core, "products", distributor=one)
    loose = await item(any_core, "products")
    track = await item(any_core, "tracks", product=product)
    both = [await task(any_core, track), await task(any_core, product, "hd")]
    ids = {each.id for each in both}

    await catalogue["products"].update(WHO, product.id, {"distributor": other})
    assert await at(any_core, product, one) == [ids, set()]
    assert await at(any_core, product, other) == [ids, ids]

    await catalogue["tracks"].update(WHO, track.id, {"product": loose})
    assert await at(any_core, product, other) == [{both[1].id}, {both[1].id}]
    assert await at(any_core, loose, None) == [{both[0].id}, set()]

    await tasks.update(WHO, both[0].id, TaskFields(target=product))
    assert await at(any_core, product, other) == [ids, ids]
    assert await at(any_core, loose, None) == [set(), set()]

    await catalogue["products"].update(WHO, product.id, {"title": "y", "distributor": None})
    assert await at(any_core, product, other) == [ids, set()]
    await catalogue["products"].update(WHO, product.id, {"distributor": one})
    await tasks.delete(WHO, both[1].id)
    assert await at(any_core, product, one) == [{both[0].id}, {both[0].id}]
    # It was no change of the tasks.
    assert (await tasks.get(WHO, both[0].id)).version == 2


async def test_tasks_of_before_are_found_too(any_core: Core) -> None:
    distributor = await item(any_core, "distributors")
    product = await item(any_core, "products", distributor=distributor)
    track = await item(any_core, "tracks", product=product)
    made = {(await task(any_core, target)).id for target in (track, product)}
    await downgrade(any_core.engines, "0012")
    await upgrade(any_core.engines)
    assert await at(any_core, product, distributor) == [made, made]
