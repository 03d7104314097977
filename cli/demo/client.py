"""A client of the JSON:API facade that knows what its documentation says and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

MEDIA_TYPE = "application/vnd.api+json"

Document = dict[str, Any]


class RequestRefused(Exception):  # noqa: N818 - reads as what happened
    """The API refused a request."""


class Client:
    """One connection to ``/api/v1`` of a server, with a token."""

    def __init__(self, http: str, token: str) -> None:
        """Take the server's URL and the token."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": MEDIA_TYPE}
        self._base = f"{http}/api/v1"
        self._session = aiohttp.ClientSession(headers=headers)

    async def __aenter__(self) -> Self:
        """Use as a context manager."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self._session.close()

    async def get(self, path: str) -> Document:
        """The document at a path; raises RequestRefused."""
        return await self._ask("GET", path, None)

    async def create(
        self, kind: str, attributes: Mapping[str, object], **related: tuple[str, str]
    ) -> Document:
        """Create a resource; related are its relationships, each a type and an id."""
        data: Document = {"type": kind, "attributes": attributes}
        if related:
            data["relationships"] = {
                name: {"data": {"type": type_, "id": id_}} for name, (type_, id_) in related.items()
            }
        return await self._ask("POST", f"/{kind}", {"data": data})

    async def _ask(self, method: str, path: str, document: Document | None) -> Document:
        async with self._session.request(method, f"{self._base}{path}", json=document) as response:
            if not response.ok:
                refusal = await response.text()
                raise RequestRefused(f"{method} {path}: {response.status} {refusal}")
            answer: Document = await response.json(content_type=MEDIA_TYPE)
            return answer
