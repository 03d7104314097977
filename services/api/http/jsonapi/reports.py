"""The route of a resource's validation report: JSON of its own, no JSON:API document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi.conditions import tagged
from services.api.http.jsonapi.documents import REPORT
from services.api.http.jsonapi.media import Speech, speaks
from services.api.http.jsonapi.parameters import reject_parameters
from services.api.http.jsonapi.requests import addressed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.resource import Resource

JSON = "application/json"


class Reports:
    """The reports of one resource."""

    def __init__(
        self, resource: Resource[Any], read: Callable[[Principal, UUID], Awaitable[bytes]]
    ) -> None:
        """Serve what ``read`` gives for an id."""
        self._resource = resource
        self._read = read

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.get(f"/{self._resource.type}/{{id}}/{REPORT}", self._get)]

    @speaks(Speech(answers=JSON))
    async def _get(self, request: web.Request) -> web.Response:
        """The report as it was written."""
        id_ = addressed(request)
        reject_parameters(request.query)
        report = await self._read(request[PRINCIPAL], id_)
        # A refusal would be another type, so caches have to know that Accept counts here too.
        headers = {"Content-Type": JSON, "Vary": "Accept"}
        return tagged(request, web.Response(body=report, headers=headers))
