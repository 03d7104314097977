"""What a client of the IDOL facade sends, and a catalogue for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.api.domain.task import Target
from tests.support.core import a_principal

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.domain.principal import Principal
    from tests.support.core import Core

TASKS = "/api/v2/import-tasks"
URL = "https://cdn.example.com/audio/master.wav"
TYPES = {
    "tracks": "tracks",
    "products": "products",
    "videos": "videos",
    "asset-attachment": "assetAttachments",
}
"""What masters can be attached to: the collection of each type."""


def new_task(type_: str, id_: object, **attributes: object) -> dict[str, Any]:
    """The document that asks for a task for what has this number; _ in names stands for -."""
    given = {"master_type": "cd", "url": URL} | attributes
    return {
        "data": {
            "type": "import-tasks",
            "attributes": {name.replace("_", "-"): value for name, value in given.items()},
            "relationships": {"attachable": {"data": {"type": type_, "id": str(id_)}}},
        }
    }


@dataclass(frozen=True, slots=True)
class Shelf:
    """A distributor with one product, and one of each that belongs to it; numbers by type."""

    distributor: int
    numbers: dict[str, int]
    ids: dict[str, UUID]


async def a_shelf(core: Core, who: Principal | None = None) -> Shelf:
    """What masters can be attached to; each has the support number CL 1355."""
    who, catalogue = who or a_principal(), core.use_cases.catalogue
    distributor = await catalogue["distributors"].create(who, {"display_name": "D"})
    given: dict[str, object] = {"title": "A title", "support_number": "CL 1355"}
    of = {"distributor": Target("distributors", distributor.id)}
    product = await catalogue["products"].create(who, given | of)
    made = {"products": product}
    for type_ in ("tracks", "videos", "asset-attachment"):
        belongs = {"product": Target("products", product.id)}
        made[type_] = await catalogue[TYPES[type_]].create(who, given | belongs)
    return Shelf(
        distributor.number,
        {type_: item.number for type_, item in made.items()},
        {type_: item.id for type_, item in made.items()},
    )
