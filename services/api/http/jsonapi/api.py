"""All resources of one facade under one base URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.api.http.jsonapi.dialect import STANDARD, Dialect

if TYPE_CHECKING:
    from aiohttp import web

    from services.api.http.jsonapi.documents import Documents
    from services.api.http.jsonapi.operations import Everything, Served


class Api:
    """What the routes of a facade know in common."""

    def __init__(
        self,
        served: tuple[Served[Any], ...],
        prefix: str,
        public_url: str | None,
        dialect: Dialect = STANDARD,
    ) -> None:
        """Take the path to serve under and how links start: by default as the request's URL."""
        self.dialect = dialect
        self.served: Everything = {each.resource.type: each for each in served}
        self.resources = {each.resource.type: each.resource for each in served}
        self.types = frozenset(self.served)
        self._prefix = prefix
        self._public_url = public_url

    def documents(self, request: web.Request) -> Documents:
        """The builder of documents with links for this client."""
        return self.dialect.documents(self.origin(request) + self._prefix)

    def origin(self, request: web.Request) -> str:
        """How this client reaches the server, as https://domain.com."""
        return (self._public_url or f"{request.scheme}://{request.host}").rstrip("/")
