"""Query parameters: what a list is asked for.

JSON:API 1.0, Fetching Data: https://jsonapi.org/format/1.0/#fetching
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.api.http.jsonapi.errors import Error, JsonApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.api.http.jsonapi.resource import Resource

DEFAULT_SIZE = 20
MAX_SIZE = 100
MAX_NUMBER = 2**31 - 1  # so that no offset leaves the database's integers

Pairs = tuple[tuple[str, str], ...]

# Some clients repeat ``filter[id][]`` instead of writing one comma list.
_MEMBER = re.compile(r"(filter|page)\[([^\[\]]*)\](?:\[\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a list is asked for.

    ``filters`` has the accepted values by the query's field; an empty set matches nothing.
    ``others`` are the parameters besides the page, which the links keep.
    """

    number: int = 1
    size: int = DEFAULT_SIZE
    filters: Mapping[str, Any] = field(default_factory=dict)
    others: Pairs = ()

    @property
    def skip(self) -> int:
        """How many resources come before the page."""
        return (self.number - 1) * self.size


def parse_query(resource: Resource[Any], pairs: Iterable[tuple[str, str]]) -> Query:
    """What the parameters of a list ask for; raises JsonApiError 400 with all that is wrong."""
    sorted_out = _sort_out(pairs)
    errors = [*_unknown(resource, sorted_out)]
    number = _whole(sorted_out.page, "number", 1, MAX_NUMBER, errors)
    size = _whole(sorted_out.page, "size", DEFAULT_SIZE, MAX_SIZE, errors)
    if errors:
        raise JsonApiError(*errors)
    filters = {
        each.field: _values(each.parse, sorted_out.filters[each.name])
        for each in resource.filters
        if each.name in sorted_out.filters
    }
    return Query(number=number, size=size, filters=filters, others=tuple(sorted_out.others))


def reject_parameters(names: Iterable[str]) -> None:
    """Raise JsonApiError 400 for any parameter, where none has a meaning."""
    errors = [_not_allowed("Parameter", [name], name) for name in sorted(set(names))]
    if errors:
        raise JsonApiError(*errors)


@dataclass(slots=True)
class _SortedOut:
    filters: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    page: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    others: list[tuple[str, str]] = field(default_factory=list)


def _sort_out(pairs: Iterable[tuple[str, str]]) -> _SortedOut:
    result = _SortedOut()
    for name, value in pairs:
        match = _MEMBER.fullmatch(name)
        if match and match[1] == "page":
            result.page[match[2]] = value
            continue
        result.others.append((name, value))
        if match:
            result.filters[match[2]] += value.split(",")
        else:
            result.unknown.add(name)
    return result


def _unknown(resource: Resource[Any], given: _SortedOut) -> list[Error]:
    filters = sorted(given.filters.keys() - {each.name for each in resource.filters})
    pages = sorted(given.page.keys() - {"number", "size"})
    errors = [_not_allowed("Parameter", [name], name) for name in sorted(given.unknown)]
    if filters:
        errors.append(_not_allowed("Filter parameter", filters, "filter"))
    if pages:
        errors.append(_not_allowed("Page parameter", pages, "page"))
    return errors


def _not_allowed(what: str, names: Sequence[str], parameter: str) -> Error:
    plural = len(names) > 1
    detail = f"{what}{'s' * plural} {', '.join(names)} {'are' if plural else 'is'} not allowed."
    return Error(400, detail, title="Invalid Query Parameter", parameter=parameter)


def _whole(page: Mapping[str, str], key: str, default: int, top: int, errors: list[Error]) -> int:
    text = page.get(key)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(top))
    if is_number and 1 <= int(text) <= top:
        return int(text)
    detail = f"The page {key} must be a whole number between 1 and {top}."
    parameter = f"page[{key}]"
    errors.append(Error(400, detail, title="Invalid Query Parameter", parameter=parameter))
    return default


def _values(parse: Any, texts: Iterable[str]) -> frozenset[Any]:
    parsed = (parse(text.strip()) for text in texts)
    return frozenset(value for value in parsed if value is not None)
