"""The lists that the doors offer: their filters and orders, each as a query of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from services.api.domain.lifecycle import Status
from services.api.domain.queries import CREATED_AT
from services.api.domain.task import DOLBY_ATMOS
from services.api.grpc import import_tasks as grpc_tasks
from services.api.grpc.orders import FIELDS
from services.api.http.facades import atmos, idol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.api.domain.queries import Order
    from services.api.http.jsonapi.resource import Resource

_GRPC: Final = {
    "distributor": "distributors",
    "name": "ids",
    "number": "numbers",
    "product": "products",
    "state": "statuses",
    "target": "target_ids",
}


@dataclass(frozen=True, slots=True)
class Door:
    """A list of import tasks: of those master types ``only``, of any for None."""

    name: str
    only: frozenset[str] | None
    filters: tuple[str, ...]
    sorts: tuple[str, ...]

    def orders(self) -> Iterator[Order]:
        """Each field up and down, but the one that lists come in anyway."""
        for field in dict.fromkeys(self.sorts):
            if field != CREATED_AT:
                yield ((field, False),)
            yield ((field, True),)


def _of(name: str, resource: Resource[Any], only: frozenset[str]) -> Door:
    filters = tuple(each.field for each in resource.filters)
    return Door(name, only, filters, tuple(each.field for each in resource.sorts))


DOORS: Final = (
    _of("JSON:API", atmos.TASKS, frozenset({DOLBY_ATMOS})),
    _of("IDOL", idol.IMPORT_TASKS, frozenset(get_args(idol.MasterType))),
    Door(
        "gRPC",
        None,
        tuple(_GRPC[each] for each in grpc_tasks.FILTERS),
        tuple(FIELDS[each] for each in grpc_tasks.ORDERS),
    ),
)
RECORD_FILTERS: Final = tuple(each.field for each in atmos.RECORDS.filters)

STATUSES: Final[Mapping[str, frozenset[Status]]] = {
    "completed": frozenset({Status.COMPLETED}),
    "pending": frozenset({Status.PENDING}),
    "completed or download_failed": frozenset({Status.COMPLETED, Status.DOWNLOAD_FAILED}),
    "downloading or validating": frozenset({Status.DOWNLOADING, Status.VALIDATING}),
}
"""Those that most tasks have and those that few have, one and two."""
