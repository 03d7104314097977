"""Where published APIs write JSON:API each in a way of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.http.jsonapi.documents import JSONAPI, Documents
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.media import allows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from services.api.http.jsonapi.media import MediaRange, Speech


def _as_it_is(error: Error) -> Iterable[Error]:
    return (error,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a facade speaks.

    ``documents`` builds what it answers and ``reword`` its errors, from ours; they begin with
    ``jsonapi`` if that is set. ``is_accepted`` says whether an Accept header allows an answer. A
    page has at most ``max_size`` resources, and goes by cursor only where it ``has_cursors``. What
    is read-only, and a value that no filter can match, is refused if it ``is_strict``, and else
    ignored.
    """

    documents: type[Documents] = Documents
    reword: Callable[[Error], Iterable[Error]] = _as_it_is
    jsonapi: Mapping[str, object] | None = None
    is_accepted: Callable[[Sequence[MediaRange], Speech], bool] = allows
    max_size: int = 100
    has_cursors: bool = True
    is_strict: bool = False

    def reworded(self, error: JsonApiError) -> JsonApiError:
        """The same refusal as this facade says it."""
        said = (each for one in error.errors for each in self.reword(one))
        return JsonApiError(*said, headers=error.headers)

    def refusal(self, error: JsonApiError) -> Mapping[str, object]:
        """The document of a refusal that is reworded."""
        errors = {"errors": [each.render() for each in error.errors]}
        return errors if self.jsonapi is None else {"jsonapi": self.jsonapi, **errors}


STANDARD = Dialect(jsonapi=JSONAPI)
"""That of the first facade."""
