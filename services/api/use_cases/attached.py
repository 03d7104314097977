"""Import tasks together with what they are for, by numbers: for doors that know no other ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from services.api.db.catalogue_rows import rows_of
from services.api.domain.errors import NotFound, RelatedNotFound
from services.api.domain.nouns import PRODUCTS
from services.api.domain.page import Page
from services.api.domain.queries import TaskQuery
from services.api.domain.task import Target, Task
from services.api.use_cases.covers import cover_of
from services.api.use_cases.import_tasks import COLLECTION, TaskFields
from services.api.use_cases.once import WRITE_SCOPES
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from services.api.domain.catalogue import Item
    from services.api.domain.principal import Principal
    from services.api.use_cases.covers import Covers
    from services.api.use_cases.import_tasks import ImportTasks


@dataclass(frozen=True, slots=True)
class Attached:
    """An import task and its target, None for none.

    ``cover_uri`` leads to the thumbnail of the cover of the task's product, "" for none.
    """

    task: Task
    target: Item | None
    cover_uri: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """An item of a collection, by its number or its id."""

    collection: str
    id: int | UUID


@dataclass(frozen=True, slots=True)
class AttachedTasks:
    """What can be done with import tasks and their targets; see ImportTasks for what is raised."""

    tasks: ImportTasks
    covers: Covers

    async def list(self, who: Principal, query: TaskQuery) -> Page[Attached]:
        """A page of the tenant's tasks."""
        page = await self.tasks.list(who, query)
        return Page(await self._with_targets(who, page.items), page.total, page.more)

    async def get(self, who: Principal, id_: int | UUID) -> Attached:
        """One task, by its number or its id. Raises NotFound."""
        if isinstance(id_, UUID):
            return (await self._with_targets(who, (await self.tasks.get(who, id_),)))[0]
        page = await self.list(who, TaskQuery(numbers=frozenset({id_}), limit=1))
        if not page.items:
            raise NotFound(COLLECTION, id_)
        return page.items[0]

    async def create(
        self,
        who: Principal,
        fields: TaskFields,
        target: Numbered | None,
        *,
        required: Collection[str] = (),
        options: Options = AT_ONCE,
    ) -> Attached:
        """Make a task for the target with this number."""
        who.require(WRITE_SCOPES[Task])
        if target is not None:
            fields = replace(fields, target=await self._found(who, target))
        task = await self.tasks.create(who, fields, required=required, options=options)
        return (await self._with_targets(who, (task,)))[0]

    async def _found(self, who: Principal, wanted: Numbered) -> Target:
        if isinstance(wanted.id, UUID):
            return Target(wanted.collection, wanted.id)
        rows, numbers = rows_of(wanted.collection), {wanted.id}
        found = await self.tasks.executor.read(lambda c: rows.ids_of(c, who.tenant, numbers))
        if not found:
            raise RelatedNotFound("target", wanted.collection, wanted.id)
        return Target(wanted.collection, found.pop())

    async def _with_targets(self, who: Principal, tasks: Sequence[Task]) -> tuple[Attached, ...]:
        items = await self.tasks.executor.read(lambda c: _items(c, who.tenant, tasks))
        return tuple(
            Attached(task, items.get(task.target), self._cover_uri(items.get(_product(task))))
            for task in tasks
        )

    def _cover_uri(self, product: Item | None) -> str:
        return "" if product is None else self.covers.link(cover_of(product), thumbnail=True)


def _product(task: Task) -> Target | None:
    return Target(PRODUCTS.collection, task.product_id) if task.product_id else None


def _items(connection: Connection, tenant: str, tasks: Sequence[Task]) -> dict[Target | None, Item]:
    """What the tasks are for, and their products: one query for each collection."""
    wanted: dict[str, set[UUID]] = {}
    for task in tasks:
        for each in filter(None, (task.target, _product(task))):
            wanted.setdefault(each.type, set()).add(each.id)
    return {
        Target(collection, item.id): item
        for collection, ids in wanted.items()
        for item in rows_of(collection).fetch_many(connection, tenant, ids)
    }
