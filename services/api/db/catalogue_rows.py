"""The catalogue in the database: the rows of any noun."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

from sqlalchemy import delete, select, update

from services.api.db import lists
from services.api.db.catalogue_tables import column_name
from services.api.db.lookups import Lookup, padded
from services.api.db.tables import CATALOGUE
from services.api.domain.nouns import BY_COLLECTION, NOUNS, PRODUCTS, TARGETS, I, Kind, Noun
from services.api.domain.task import Target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Row, Select, Table

    from services.api.db.rows import Values
    from services.api.db.transactions import Transaction
    from services.api.domain.nouns import Field
    from services.api.domain.page import Page
    from services.api.domain.queries import ItemQuery


_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ItemRows(Generic[I]):
    """The rows of one noun."""

    noun: Noun[I]

    @property
    def table(self) -> Table:
        """Where they are."""
        return CATALOGUE[self.noun.collection]

    def insert(self, transaction: Transaction, item: I) -> None:
        """Add an item."""
        transaction.connection.execute(self.table.insert().values(self.values(item)))
        transaction.count(item.tenant, self.noun.collection, "", 1)

    def save(self, transaction: Transaction, item: I) -> None:
        """Write an item's values."""
        changed = update(self.table).where(self.table.c.id == item.id).values(self.values(item))
        transaction.connection.execute(changed)

    def remove(self, transaction: Transaction, item: I) -> None:
        """Remove an item's row."""
        transaction.connection.execute(delete(self.table).where(self.table.c.id == item.id))
        transaction.count(item.tenant, self.noun.collection, "", -1)

    def find(self, connection: Connection, tenant: str, id_: UUID) -> I | None:
        """A tenant's item."""
        return lists.fetch_one(connection, self._one(tenant, id_), self._item)

    def lock(self, transaction: Transaction, tenant: str, id_: UUID) -> I | None:
        """A tenant's item that nobody else can change or link to until the commit."""
        query = self._one(tenant, id_).with_for_update()
        return lists.fetch_one(transaction.connection, query, self._item)

    def pin(self, transaction: Transaction, tenant: str, id_: UUID) -> I | None:
        """A tenant's item that nobody can change or delete before the commit."""
        query = self._one(tenant, id_).with_for_update(read=True, key_share=True)
        return lists.fetch_one(transaction.unguarded, query, self._item)

    def pin_many(self, connection: Connection, keys: Collection[tuple[str, UUID]]) -> Iterator[I]:
        """Those of tenants' items with these ids; nobody can change or delete them meanwhile."""
        columns, asked = self.table.c, {*keys}
        wanted = padded(asked)
        query = select(self.table).where(
            columns.tenant.in_({tenant for tenant, _ in wanted}),
            columns.id.in_([id_ for _, id_ in wanted]),
        )
        # In one order, so that nobody waits for who waits for them.
        pinned = query.order_by(columns.id).with_for_update(read=True, key_share=True)
        items = map(self._item, connection.execute(pinned))
        return (item for item in items if (item.tenant, item.id) in asked)

    def fetch_many(self, connection: Connection, tenant: str, ids: Collection[UUID]) -> list[I]:
        """Those of a tenant's items with one of these ids, in any order."""
        columns = self.table.c
        query = select(self.table).where(columns.tenant == tenant, columns.id.in_(ids))
        return [self._item(row) for row in connection.execute(query)]

    def ids_of(self, connection: Connection, tenant: str, numbers: Collection[int]) -> set[UUID]:
        """The ids of the items with these numbers."""
        columns = self.table.c
        query = select(columns.id).where(columns.tenant == tenant, columns.number.in_(numbers))
        return set(connection.scalars(query))

    def fetch_page(self, connection: Connection, tenant: str, query: ItemQuery) -> Page[I]:
        """A page of a tenant's items, oldest first unless ordered otherwise."""
        narrow = [*self._narrowing(query)]
        conditions = [lists.equal(self.table.c.tenant, tenant), *narrow]

        def total() -> int:
            if narrow:
                return lists.count(connection, self.table, conditions)
            return lists.kept_total(connection, tenant, self.noun.collection)

        return lists.fetch_page(
            connection, self.table, conditions, query, to_item=self._item, total=total
        )

    def values(self, item: I) -> Values:
        """The columns of an item's row."""
        values = {each.name: getattr(item, each.name) for each in fields(item)}
        for each in self._lengths():
            length = values.pop(each.name)
            values[column_name(each)] = length and length // _MICROSECOND
        return values

    def item(self, columns: Mapping[Any, Any]) -> I:
        """The item of the values of its columns."""
        values = dict(columns)
        for each in self._lengths():
            microseconds = values.pop(column_name(each))
            values[each.name] = None if microseconds is None else microseconds * _MICROSECOND
        return self.noun.type(**values)

    def _item(self, row: Row[Any]) -> I:
        return self.item(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it

    def _lengths(self) -> Iterator[Field]:
        return (each for each in self.noun.fields if each.kind is Kind.SECONDS)

    def _one(self, tenant: str, id_: UUID) -> Select[Any]:
        return select(self.table).where(self.table.c.id == id_, self.table.c.tenant == tenant)

    def _narrowing(self, query: ItemQuery) -> Iterator[lists.Condition]:
        columns = self.table.c
        yield from lists.one_of(columns.id, query.ids)
        yield from lists.one_of(columns.number, query.numbers)
        for each in self.noun.references:
            yield from lists.one_of(columns[each.attribute], getattr(query, each.name))


class Home(NamedTuple):
    """The product and the distributor that a target is or belongs to."""

    product_id: UUID | None
    distributor_id: UUID | None


def pin_home(transaction: Transaction, item: Any) -> Home:
    """That of an item that can be a target; it stays so until the commit."""
    product = item
    if not isinstance(item, PRODUCTS.type):
        product_id = item.product_id
        product = product_id and rows_of(PRODUCTS.collection).pin(
            transaction, item.tenant, product_id
        )
    return _home(product)


def _homes(
    connection: Connection, wanted: Sequence[tuple[str, Target]]
) -> Mapping[tuple[str, Target], Home]:
    targets = {target.type for _, target in wanted if target.type in TARGETS}
    items = {
        (item.tenant, Target(type_, item.id)): item
        for type_ in sorted(targets)
        for item in rows_of(type_).pin_many(
            connection, [(tenant, target.id) for tenant, target in wanted if target.type == type_]
        )
    }
    own = PRODUCTS.collection
    above = {
        (item.tenant, item.product_id)
        for (_, target), item in items.items()
        if target.type != own and item.product_id
    }
    products = {
        product.id: product
        for product in (rows_of(own).pin_many(connection, above) if above else ())
    }
    return {
        key: _home(item if key[1].type == own else products.get(item.product_id))
        for key, item in items.items()
    }


def _home(product: Any) -> Home:
    return Home(product and product.id, product and product.distributor_id)


HOMES = Lookup(_homes)
"""Where a tenant's target belongs, if there is such a target; it stays so until the commit."""


def rows_of(collection: str) -> ItemRows[Any]:
    """The rows of the noun with this collection."""
    return ItemRows(BY_COLLECTION[collection])


def who_refers_to(
    connection: Connection, collection: str, tenant: str, id_: UUID
) -> Noun[Any] | None:
    """A noun of which an item is linked to this one; None if there is none."""
    for noun in NOUNS:
        table = CATALOGUE[noun.collection]
        for each in noun.references:
            linked = table.c.tenant == tenant, table.c[each.attribute] == id_
            if each.to == collection and lists.exists(connection, table, *linked):
                return noun
    return None
