"""Items of the catalogue: create, read, change, delete; each change a unit of its own.

One mechanism for every noun: what it has and refers to is in its declaration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.db import (
    audit_rows,
    catalogue_rows,
    place_rows,
    record_rows,
    task_rows,
    upload_session_rows,
)
from services.api.db.catalogue_rows import ItemRows, rows_of
from services.api.domain.changes import UNSET, Unset
from services.api.domain.errors import InUse, NotFound, RelatedNotFound
from services.api.domain.nouns import PRODUCTS, I, Kind, Noun
from services.api.domain.queries import ItemQuery
from services.api.domain.task import Target
from services.api.use_cases import covers
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version, found
from services.api.use_cases.once import run_one_once
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.nouns import Field
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal

Fields = dict[str, object]
"""The values of a request as the client wrote them, of a reference its Target, by field."""


@dataclass(frozen=True, slots=True)
class Items(Generic[I]):
    """What clients can do with the items of a noun."""

    executor: Executor
    noun: Noun[I]

    @property
    def _rows(self) -> ItemRows[I]:
        return ItemRows(self.noun)

    async def create(
        self, who: Principal, fields: Mapping[str, object], *, options: Options = AT_ONCE
    ) -> I:
        """Make an item. Raises InvalidFields, RelatedNotFound, KeyReused."""
        asked = (self.noun.collection, "create", sorted(fields.items()))
        unit = self.creating(who, fields)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def get(self, who: Principal, id_: UUID) -> I:
        """One item. Raises NotFound."""
        who.require(self.noun.reading)
        item = await self.executor.read(lambda c: self._rows.find(c, who.tenant, id_))
        return found(item, self.noun.collection, id_)

    async def get_either(self, who: Principal, id_: UUID | int) -> I:
        """One item, by its id or its number. Raises NotFound."""
        if isinstance(id_, UUID):
            return await self.get(who, id_)
        page = await self.list(who, ItemQuery(numbers=frozenset({id_}), limit=1))
        if not page.items:
            raise NotFound(self.noun.collection, id_)
        return page.items[0]

    async def list(self, who: Principal, query: ItemQuery) -> Page[I]:
        """A page of the tenant's items, oldest first unless ordered otherwise."""
        who.require(self.noun.reading)
        return await self.executor.read(lambda c: self._rows.fetch_page(c, who.tenant, query))

    async def update(
        self,
        who: Principal,
        id_: UUID,
        fields: Mapping[str, object],
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> I:
        """Change an item. Raises as ``create``, NotFound, EtagMismatch."""
        asked = (self.noun.collection, "update", id_, sorted(fields.items()), version)
        unit = self.updating(who, id_, fields, version=version)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def delete(self, who: Principal, id_: UUID, *, version: int | None = None) -> None:
        """Remove an item.

        Raises NotFound, EtagMismatch, and InUse while a task, a valid record or another item needs
        it.
        """
        await self.executor.write(self.deleting(who, id_, version=version))

    def creating(self, who: Principal, fields: Mapping[str, object]) -> Callable[[Transaction], I]:
        """The unit of ``create``."""
        who.require(self.noun.writing)

        def unit(transaction: Transaction) -> I:
            values = self._read(fields, creating=True)
            now, tenant = transaction.now(), who.tenant
            item = self.noun.type(
                id=uuid7(),
                tenant=tenant,
                number=transaction.number(tenant, self.noun.collection),
                version=1,
                created_at=now,
                updated_at=now,
                **values,
            )
            self._pin(transaction, item, None)
            self._rows.insert(transaction, item)
            self._audit(transaction, who, "create", item.id)
            return item

        return unit

    def updating(
        self,
        who: Principal,
        id_: UUID,
        fields: Mapping[str, object],
        *,
        version: int | None = None,
    ) -> Callable[[Transaction], I]:
        """The unit of ``update``."""
        who.require(self.noun.writing)

        def unit(transaction: Transaction) -> I:
            before = self._lock(transaction, who, id_, version)
            changed = replace(before, **self._read(fields, creating=False))
            if changed == before:
                return before
            self._pin(transaction, changed, before)
            after = replace(changed, version=before.version + 1, updated_at=transaction.now())
            self._rows.save(transaction, after)
            self._move_tasks(transaction, before, after)
            self._audit(transaction, who, "update", id_)
            return after

        return unit

    def deleting(
        self, who: Principal, id_: UUID, *, version: int | None = None
    ) -> Callable[[Transaction], None]:
        """The unit of ``delete``."""
        who.require(self.noun.writing)

        def unit(transaction: Transaction) -> None:
            item = self._lock(transaction, who, id_, version)
            self._check_unused(transaction, item)
            self._rows.remove(transaction, item)
            covers.remove(transaction, covers.cover_of(item))
            place_rows.forget(transaction, item.tenant, item.id)
            self._audit(transaction, who, "delete", id_)

        return unit

    def _lock(self, transaction: Transaction, who: Principal, id_: UUID, version: int | None) -> I:
        item = self._rows.lock(transaction, who.tenant, id_)
        return at_version(found(item, self.noun.collection, id_), version)

    def _check_unused(self, transaction: Transaction, item: I) -> None:
        connection, this = transaction.connection, (item.tenant, item.id)
        if self.noun.is_target and (
            task_rows.any_for_target(connection, *this)
            or record_rows.any_for_target(connection, *this)
        ):
            raise InUse(f"An import task or a record is linked to this {self.noun.words}.")
        user = catalogue_rows.who_refers_to(connection, self.noun.collection, *this)
        if user is not None:
            raise InUse(f"There is a {user.words} that is linked to this {self.noun.words}.")
        if upload_session_rows.any_open_for(connection, *this, transaction.now()):
            raise InUse(f"There is an upload session that is linked to this {self.noun.words}.")

    def _pin(self, transaction: Transaction, item: I, before: I | None) -> None:
        """Keep what an item is newly linked to. Raises RelatedNotFound."""
        for each in self.noun.references:
            id_: UUID | None = getattr(item, each.attribute)
            if id_ is None or id_ == getattr(before, each.attribute, None):
                continue
            if not rows_of(each.to).pin(transaction, item.tenant, id_):
                raise RelatedNotFound(each.name, each.to, id_)

    def _move_tasks(self, transaction: Transaction, before: I, after: I) -> None:
        """Take along the import tasks for an item that belongs somewhere else now."""
        links = [each.attribute for each in self.noun.references]
        if self.noun.is_target and any(
            getattr(before, each) != getattr(after, each) for each in links
        ):
            link = "product_id" if isinstance(after, PRODUCTS.type) else "target_id"
            home = catalogue_rows.pin_home(transaction, after)
            task_rows.rehome(transaction, after.tenant, link, after.id, home)

    def _read(self, fields: Mapping[str, object], *, creating: bool) -> dict[str, Any]:
        """The values that were given, by the item's attributes. Raises InvalidFields."""
        reader = Reader(self.noun.required, creating=creating)
        values = {
            each.name: _value(reader, each, fields.get(each.name, UNSET))
            for each in self.noun.fields
        }
        reader.finish()
        for each in self.noun.references:
            target = fields.get(each.name, UNSET)
            values[each.attribute] = target.id if isinstance(target, Target) else target
        return {name: value for name, value in values.items() if not isinstance(value, Unset)}

    def _audit(self, transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
        collection = self.noun.collection
        audit_rows.write(transaction, who, f"{collection}.{action}", f"{collection}/{id_}")


def _value(reader: Reader, field: Field, value: object) -> object:
    match field.kind:
        case Kind.LINE:
            return reader.line(field.name, value, field.limit)
        case Kind.KEY:
            return reader.line(field.name, value, field.limit, strip=False)
        case Kind.ISRC:
            return reader.isrc(field.name, value)
        case Kind.SECONDS:
            return reader.seconds(field.name, value)
        case Kind.OBJECT:
            return reader.metadata(field.name, value)
