"""What sets such dialects apart: how they say no, and what their clients are used to send."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One dialect.

    ``refusal`` makes the body that says no of what to say to people and the request's id, and
    ``refusal_schema`` has the schemas of its members. Wrong values are answered with ``invalid``.
    With ``loose`` parameters the token may be one, and they come in the query, as a form or as
    JSON; else they are in the path and in a JSON object, whatever its media type.
    """

    refusal: Callable[[str, UUID], Mapping[str, object]]
    refusal_schema: Mapping[str, Mapping[str, Any]]
    invalid: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY
    loose: bool = False
