"""Several operations in one request, all or none: the Atomic Operations extension.

https://jsonapi.org/ext/atomic/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from services.api.domain.errors import OperationRefused
from services.api.domain.task import Target
from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi.errors import Error, JsonApiError, translate
from services.api.http.jsonapi.media import Speech, read_document, respond, speaks
from services.api.http.jsonapi.parameters import reject_parameters
from services.api.http.jsonapi.plans import MEMBER, parse_operations
from services.api.http.jsonapi.requests import options_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.api import Api
    from services.api.http.jsonapi.documents import Documents
    from services.api.http.jsonapi.parse import Members
    from services.api.http.jsonapi.plans import Plan
    from services.api.use_cases.operations import Operation, Unit
    from services.api.use_cases.options import Options

    Run = Callable[[Principal, Sequence[Operation], Options, object], Awaitable[tuple[object, ...]]]

EXTENSION = "https://jsonapi.org/ext/atomic"
ATOMIC = Speech(extensions=frozenset({EXTENSION}))
MAX_BODY_BYTES = 1024 * 1024
MAX_OPERATIONS = 500

_JSONAPI = {"version": "1.1", "ext": [EXTENSION]}


@dataclass(frozen=True, slots=True)
class Atomic:
    """The route that runs operations; ``run`` does so in one transaction."""

    api: Api
    run: Run

    def routes(self) -> list[web.RouteDef]:
        """Its one route."""
        return [web.post("/operations", self._post)]

    @speaks(ATOMIC)
    async def _post(self, request: web.Request) -> web.Response:
        reject_parameters(request.query)
        who, options = request[PRINCIPAL], options_of(request)
        document = await read_document(request.clone(client_max_size=MAX_BODY_BYTES))
        given = _operations_in(document)
        documents = self.api.documents(request)
        plans = parse_operations(given, self.api.served, documents.base)
        resolving = _Resolving({plan.lid_for: i for i, plan in enumerate(plans) if plan.lid_for})
        steps = [partial(resolving.unit, who, plan) for plan in plans]
        try:
            results = await self.run(who, steps, options, given)
        except OperationRefused as refused:
            plan = plans[refused.index]
            error = translate(refused.refusal, plan.served.resource, plan.pointer)
            raise error.under(f"/{MEMBER}/{refused.index}") from refused
        return _answer(documents, plans, results)


def _operations_in(document: Members) -> list[Any]:
    """The operations of a document; raises JsonApiError 400 unless there are 1 to 500."""
    operations = document.get(MEMBER)
    if isinstance(operations, list) and 1 <= len(operations) <= MAX_OPERATIONS:
        return operations
    detail = f"The member {MEMBER} must be an array of 1 to {MAX_OPERATIONS} operations."
    pointer = f"/{MEMBER}" if MEMBER in document else "/"
    title = "Non-Compliant JSON:API Document"
    raise JsonApiError(Error(HTTPStatus.BAD_REQUEST, detail, title=title, pointer=pointer))


@dataclass(frozen=True, slots=True)
class _Resolving:
    """Puts real ids in place of those that stood for them; by these, which operation gave which."""

    givers: dict[UUID, int] = field(default_factory=dict)

    def unit(self, who: Principal, plan: Plan, results: Sequence[Any]) -> Unit:
        """The unit of one operation, after those whose results are given."""
        units = plan.served.operations.units
        assert units is not None, "checked while parsing"  # noqa: S101 - tells the type checker

        def real(id_: UUID) -> UUID:
            giver = self.givers.get(id_)
            return id_ if giver is None else plan.served.resource.id(results[giver])

        fields = {
            name: Target(value.type, real(value.id)) if isinstance(value, Target) else value
            for name, value in plan.fields.items()
        }
        if plan.id is None:
            return units.creating(who, fields)
        if plan.code == "remove":
            return units.deleting(who, real(plan.id))
        return units.updating(who, real(plan.id), fields)


def _answer(documents: Documents, plans: Sequence[Plan], results: Sequence[Any]) -> web.Response:
    shown: list[dict[str, object]] = [
        {"data": documents.resource(plan.served.resource, result)} if plan.shows else {}
        for plan, result in zip(plans, results, strict=True)
    ]
    if not any(shown):
        return web.Response(status=HTTPStatus.NO_CONTENT)
    return respond({"atomic:results": shown, "jsonapi": _JSONAPI}, ext=EXTENSION)
