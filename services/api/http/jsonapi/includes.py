"""What comes along with the primary data: the resources at the other end of relationships.

JSON:API, Compound Documents: https://jsonapi.org/format/#document-compound-documents
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.api.domain.errors import NotFound
from services.api.http.jsonapi.queries import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.documents import Found
    from services.api.http.jsonapi.operations import Served
    from services.api.http.jsonapi.queries import Shape
    from services.api.http.jsonapi.resource import Resource


async def load_included(
    who: Principal,
    served: Mapping[str, Served[Any]],
    primary: Resource[Any],
    items: Sequence[Any],
    shape: Shape,
) -> list[Found] | None:
    """The resources to include, each once; None when none were asked for.

    One query for each relationship, however many items. Raises ScopeMissing for what the client
    may not read.
    """
    if shape.include is None:
        return None
    seen = {(primary.type, primary.id(item)) for item in items}
    included: list[Found] = []
    for name in shape.include:
        to_one = primary.includes[name]
        ids = dict.fromkeys(id_ for item in items if (id_ := to_one.linkage(item)))
        wanted = [id_ for id_ in ids if (to_one.type, id_) not in seen]
        seen |= {(to_one.type, id_) for id_ in wanted}
        other = served[to_one.type]
        included += [(other.resource, found) for found in await _load(who, other, wanted)]
    return included


async def _load(who: Principal, served: Served[Any], ids: Sequence[UUID]) -> list[Any]:
    """The resources with these ids, in that order, without those that are gone by now."""
    if not ids or served.operations.list is None:
        return [found for id_ in ids for found in (await _load_one(who, served, id_)).values()]
    query = Query(filters={_id_field(served.resource): frozenset(ids)}, size=len(ids))
    page = await served.operations.list(who, query)
    found = {served.resource.id(item): item for item in page.items}
    for id_ in ids:
        if id_ not in found:
            # A list may leave out what can still be read by its id.
            found |= await _load_one(who, served, id_)
    return [found[id_] for id_ in ids if id_ in found]


async def _load_one(who: Principal, served: Served[Any], id_: UUID) -> dict[UUID, Any]:
    try:
        return {id_: await served.operations.get(who, id_)}
    except NotFound:
        return {}


def _id_field(resource: Resource[Any]) -> str:
    filters: Iterable[str] = (each.field for each in resource.filters if each.name == "id")
    return next(iter(filters))
