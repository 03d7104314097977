"""From the parameters of a URL to what they ask for.

JSON:API, Query Parameters: https://jsonapi.org/format/#query-parameters
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.api.http.jsonapi import cursors
from services.api.http.jsonapi.dialect import STANDARD, Dialect
from services.api.http.jsonapi.errors import Error, Fault, JsonApiError
from services.api.http.jsonapi.queries import DEFAULT_SIZE, WHOLE, Query, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.api.domain.queries import Order, Position
    from services.api.http.jsonapi.resource import Filter, Resource

MAX_NUMBER = 2**31 - 1  # so that no offset leaves the database's integers

# Some clients repeat ``filter[id][]`` instead of writing one comma list.
_MEMBER = re.compile(r"(filter|page|fields)\[([^\[\]]*)\](?:\[\])?")
_CURSORS = frozenset({"after", "before"})


def parse_query(
    resource: Resource[Any],
    pairs: Iterable[tuple[str, str]],
    resources: Mapping[str, Resource[Any]],
    *,
    by_cursor: bool = False,
    dialect: Dialect = STANDARD,
) -> Query:
    """What the parameters of a list ask for; raises JsonApiError 400 with all that is wrong.

    ``resources`` are all of the API, by type. Pages go by cursor when one is given, or when the
    client speaks that profile (``by_cursor``) and gives no number.
    """
    parser = _Parser(resource, resources, _sort_out(pairs), dialect)
    query = parser.query(by_cursor=by_cursor)
    parser.finish()
    return query


def parse_shape(
    resource: Resource[Any],
    pairs: Iterable[tuple[str, str]],
    resources: Mapping[str, Resource[Any]],
) -> Shape:
    """What the document of one resource shows; raises as ``parse_query``.

    What only lists know is refused too.
    """
    pairs = tuple(pairs)
    if not pairs:
        return WHOLE
    parser = _Parser(resource, resources, _sort_out(pairs))
    shape = parser.shape(parser.given.of_lists)
    parser.finish()
    return shape


def reject_parameters(names: Iterable[str]) -> None:
    """Raise JsonApiError 400 for any parameter, where none has a meaning."""
    unknown = sorted(set(names))
    errors = [_not_allowed("Parameter", [name], name, Fault.PARAMETER) for name in unknown]
    if errors:
        raise JsonApiError(*errors)


@dataclass(slots=True)
class _Given:
    """Parameters by family; ``of_lists`` are the names of those that only lists know."""

    filters: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    page: dict[str, str] = field(default_factory=dict)
    fields: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    include: list[str] | None = None
    sort: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    of_lists: set[str] = field(default_factory=set)
    kept: list[tuple[str, str]] = field(default_factory=list)

    def take(self, name: str, value: str) -> None:
        """Put one parameter where it belongs."""
        match = _MEMBER.fullmatch(name)
        family, member = (match[1], match[2]) if match else (name, "")
        if family in {"filter", "page", "sort"}:
            self.of_lists.add(name)
        if match is None and family not in {"include", "sort"}:
            self.unknown.add(name)
        elif family == "page":
            self.page[member] = value
        elif family == "include":
            self.include = [*(self.include or ()), *_items(value)]
        elif family == "sort":
            self.sort += _items(value)
        else:
            values = self.fields if family == "fields" else self.filters
            values[member] += value.split(",") if family == "filter" else _items(value)
        if family != "page" or match is None:
            self.kept.append((name, value))


def _sort_out(pairs: Iterable[tuple[str, str]]) -> _Given:
    given = _Given()
    for name, value in pairs:
        given.take(name, value)
    return given


def _items(value: str) -> list[str]:
    """The items of a comma list; an empty value is an empty list."""
    return [item.strip() for item in value.split(",")] if value else []


@dataclass(slots=True)
class _Parser:
    """Reads the parameters of one request and collects what is wrong with them."""

    resource: Resource[Any]
    resources: Mapping[str, Resource[Any]]
    given: _Given
    dialect: Dialect = STANDARD
    errors: list[Error] = field(default_factory=list)

    def finish(self) -> None:
        if self.errors:
            raise JsonApiError(*self.errors)

    def shape(self, meaningless: Iterable[str] = ()) -> Shape:
        for name in sorted({*self.given.unknown, *meaningless}):
            self._refuse("Parameter", [name], name, Fault.PARAMETER)
        include, known = self.given.include, self.resource.includes
        self._reject("Include path", include or (), known, "include", Fault.INCLUDE)
        return Shape(
            include=None if include is None else tuple(dict.fromkeys(include)),
            fields=self._fields(),
            given=tuple(self.given.kept),
        )

    def query(self, *, by_cursor: bool) -> Query:
        shape = self.shape()
        filters = self._filters()
        order = self._order()
        page = self.given.page
        by_cursor = self.dialect.has_cursors and (
            not _CURSORS.isdisjoint(page) or (by_cursor and "number" not in page)
        )
        known = {"size", *(_CURSORS if by_cursor else {"number"})}
        self._reject("Page parameter", page, known, "page", Fault.PAGE_PARAMETER)
        ranged = page.keys() >= _CURSORS
        return Query(
            number=self._whole("number", 1, MAX_NUMBER),
            size=self._size(self.dialect.max_size if ranged else DEFAULT_SIZE, by_cursor=by_cursor),
            filters=filters,
            order=order,
            by_cursor=by_cursor,
            after=self._position("after", order),
            before=self._position("before", order),
            shape=shape,
            others=shape.given,
        )

    def _fields(self) -> dict[str, frozenset[str]]:
        given = {type_: frozenset(names) for type_, names in self.given.fields.items()}
        for type_ in sorted(given):
            if type_ in self.resources:
                known = self.resources[type_].fields
                names = [f"{type_}.{name}" for name in sorted(given[type_] - known)]
                self._refuse("Sparse field set", names, "fields", Fault.FIELD)
            else:
                detail = f"Resource type {type_} is not recognised."
                self.errors.append(_invalid(detail, "fields", Fault.NO_TYPE, type_))
        return given

    def _filters(self) -> dict[str, Any]:
        given = self.given.filters
        known = {each.name: each for each in self.resource.filters}
        self._reject("Filter parameter", given, known, "filter", Fault.FILTER)
        return {
            each.field: self._values(each, given[name])
            for name, each in known.items()
            if name in given
        }

    def _values(self, filter_: Filter, texts: Iterable[str]) -> frozenset[Any]:
        parsed = {text: filter_.parse(text.strip()) for text in texts}
        if self.dialect.is_strict:
            for text in (text for text, value in parsed.items() if value is None):
                detail = f"Nothing can have the {filter_.name} {text}."
                where, about = f"filter[{filter_.name}]", (filter_.name, text)
                self.errors.append(_invalid(detail, where, Fault.FILTER_VALUE, *about))
        return frozenset(value for value in parsed.values() if value is not None)

    def _order(self) -> Order:
        """The core's order; a field that was named before decides nothing more."""
        known = {each.name: each.field for each in self.resource.sorts}
        named = [(name.removeprefix("-"), name.startswith("-")) for name in self.given.sort]
        names = [name for name, _ in named]
        self._reject("Sort parameter", names, known, "sort", Fault.SORT)
        order: dict[str, bool] = {}
        for name, descending in named:
            if name in known:
                order.setdefault(known[name], descending)
        return tuple(order.items())

    def _size(self, default: int, *, by_cursor: bool) -> int:
        text = self.given.page.get("size", "")
        top = self.dialect.max_size
        if by_cursor and text.isascii() and text.isdigit() and int(text[:10]) > top:
            self.errors.append(cursors.size_exceeded(top))
            return default
        return self._whole("size", default, top)

    def _whole(self, key: str, default: int, top: int) -> int:
        text = self.given.page.get(key)
        if text is None:
            return default
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(top))
        if is_number and 1 <= int(text) <= top:
            return int(text)
        detail = f"The page {key} must be a whole number between 1 and {top}."
        about = (key, text, str(top))
        self.errors.append(_invalid(detail, f"page[{key}]", Fault.PAGE_VALUE, *about))
        return default

    def _position(self, key: str, order: Order) -> Position | None:
        """Where the page starts or ends; an empty ``page[after]`` is the start of the list."""
        text = self.given.page.get(key) if self.dialect.has_cursors else None
        if text is None or (key == "after" and not text):
            return None
        position = cursors.decode(self.resource, order, text)
        if position is None:
            detail = f"The page {key} must be a cursor of this list in this order."
            self.errors.append(_invalid(detail, f"page[{key}]"))
        return position

    def _reject(
        self, what: str, given: Iterable[str], known: Iterable[str], parameter: str, fault: Fault
    ) -> None:
        self._refuse(what, sorted(set(given) - set(known)), parameter, fault)

    def _refuse(self, what: str, names: Sequence[str], parameter: str, fault: Fault) -> None:
        if names:
            self.errors.append(_not_allowed(what, names, parameter, fault))


def _not_allowed(what: str, names: Sequence[str], parameter: str, fault: Fault) -> Error:
    plural = len(names) > 1
    detail = f"{what}{'s' * plural} {', '.join(names)} {'are' if plural else 'is'} not allowed."
    return _invalid(detail, parameter, fault, *names)


def _invalid(detail: str, parameter: str, fault: Fault | None = None, *about: str) -> Error:
    title = "Invalid Query Parameter"
    return Error(400, detail, title=title, parameter=parameter, fault=fault, about=about)
