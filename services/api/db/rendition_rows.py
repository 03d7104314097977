"""Renditions in the database: the files that were published, and the bytes that they take."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from services.api.db import lists
from services.api.db.tables import renditions
from services.api.domain.publishing import Rendition

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from services.api.db.transactions import Transaction
    from services.api.domain.publishing import Publication

COLLECTION = "renditions"
_columns = renditions.c
_NAMES = tuple(each.name for each in fields(Rendition))


def put(transaction: Transaction, before: Publication, new: Sequence[Rendition]) -> None:
    """Give a locked publication these renditions in the place of those that it has."""
    remove(transaction, before)
    rows = [{name: getattr(each, name) for name in _NAMES} for each in new]
    transaction.connection.execute(renditions.insert(), rows)
    transaction.store(before.tenant, sum(each.size_bytes for each in new))


def remove(transaction: Transaction, publication: Publication) -> None:
    """Remove the renditions of a locked publication."""
    if publication.renditions:
        transaction.connection.execute(
            delete(renditions).where(_columns.publication_id == publication.id)
        )
        transaction.store(
            publication.tenant, -sum(each.size_bytes for each in publication.renditions)
        )


def of_publications(connection: Connection, ids: Collection[UUID]) -> list[Rendition]:
    """The renditions of these publications."""
    if not ids:
        return []
    query = select(renditions).where(_columns.publication_id.in_(ids))
    return [_to_rendition(row) for row in connection.execute(query).all()]


def with_renditions(publication: Publication, found: Sequence[Rendition]) -> Publication:
    """The publication with its own, in the order of their ids."""
    own = [each for each in found if each.publication_id == publication.id]
    return replace(publication, renditions=tuple(sorted(own, key=lambda each: each.id)))


def find(connection: Connection, tenant: str, id_: UUID) -> Rendition | None:
    """A tenant's rendition."""
    query = select(renditions).where(_columns.id == id_, _columns.tenant == tenant)
    return lists.fetch_one(connection, query, _to_rendition)


def find_any(connection: Connection, id_: UUID) -> Rendition | None:
    """Whichever tenant's rendition, for who has shown a right to just this one."""
    query = select(renditions).where(_columns.id == id_)
    return lists.fetch_one(connection, query, _to_rendition)


def keys_in_use(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the blob keys that a rendition names."""
    return set(connection.scalars(select(_columns.blob_key).where(_columns.blob_key.in_(keys))))


def _to_rendition(row: Row[Any]) -> Rendition:
    return Rendition(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
