"""Covers: proven, put in their place, given out by links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import cover_rows
from services.api.db.blob_rows import doom
from services.api.db.catalogue_rows import rows_of
from services.api.domain.covers import COLLECTION, Cover, link_ends
from services.api.domain.errors import RelatedNotFound
from services.api.domain.nouns import PRODUCTS
from services.api.domain.task import Target
from services.api.use_cases.found import found

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.catalogue import Item
    from services.api.domain.links import Signer
    from services.api.domain.task import Master

COVERS = "/covers"
"""Where, below the public URL, links of ours to covers lead."""
THUMBNAIL = "thumbnail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A picture that may be a cover, and its thumbnail, both stored."""

    media_type: str
    width: int
    height: int
    thumbnail: Master


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covers:
    """What can be done with covers. ``url`` is what links begin with where a door knows no better.

    Whoever has a link may see the cover: it lasts to the end of the next day, and looks the same
    all day long.
    """

    executor: Executor
    signer: Signer
    url: str = ""
    clock: Callable[[], datetime] = _now

    def link(self, id_: UUID | None, *, thumbnail: bool = False, url: str | None = None) -> str:
        """Where a cover can be seen, or its thumbnail; "" for none."""
        if id_ is None:
            return ""
        expires = int(link_ends(self.clock()).timestamp())
        path = f"{(url or self.url).rstrip('/')}{COVERS}/{id_}" + f"/{THUMBNAIL}" * thumbnail
        return f"{path}?expires={expires}&signature={self.signer.sign(id_, expires)}"

    async def redeem(self, id_: UUID, expires: str, signature: str) -> Cover:
        """The cover that a link opens now. Raises LinkRefused, NotFound."""
        self.signer.check(id_, expires, signature, self.clock())
        cover = await self.executor.read(lambda c: cover_rows.find(c, id_))
        return found(cover, COLLECTION, id_)


def place(
    transaction: Transaction, tenant: str, target: Target, picture: Master, proven: Proven
) -> None:
    """Make a picture the cover of something, in the place of the one before.

    Raises RelatedNotFound when that is gone.
    """
    rows, now = rows_of(target.type), transaction.now()
    before = rows.lock(transaction, tenant, target.id)
    if before is None:
        raise RelatedNotFound("target", target.type, target.id)
    cover = Cover(
        id=uuid7(),
        tenant=tenant,
        target=target,
        media_type=proven.media_type,
        width=proven.width,
        height=proven.height,
        picture=picture,
        thumbnail=proven.thumbnail,
        created_at=now,
    )
    remove(transaction, cover_of(before))
    cover_rows.insert(transaction, cover)
    version = before.version + 1
    rows.save(transaction, replace(before, cover_id=cover.id, version=version, updated_at=now))


def cover_of(item: Item) -> UUID | None:
    """The id of an item's cover; None for none, and for what can have none."""
    id_: UUID | None = getattr(item, "cover_id", None)
    return id_


def cover_for(connection: Connection, tenant: str, target: Target | None) -> Cover | None:
    """The cover of what a master is for, else of the product that it belongs to."""
    while target is not None:
        item = rows_of(target.type).find(connection, tenant, target.id)
        id_ = None if item is None else cover_of(item)
        if id_ is not None:
            return cover_rows.find(connection, id_)
        product: UUID | None = getattr(item, "product_id", None)
        target = Target(PRODUCTS.collection, product) if product else None
    return None


def remove(transaction: Transaction, id_: UUID | None) -> None:
    """Remove a cover, if there is one; its bytes are doomed."""
    if id_ is not None:
        doom(transaction, cover_rows.remove(transaction, id_), transaction.now())
