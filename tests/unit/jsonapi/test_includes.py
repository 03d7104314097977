"""What comes along: each resource once, also those that a list leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING
from uuid import UUID

from services.api.domain.errors import NotFound
from services.api.domain.page import Page
from services.api.http.jsonapi.includes import load_included
from services.api.http.jsonapi.operations import Operations, Served
from services.api.http.jsonapi.parse import parse_id
from services.api.http.jsonapi.queries import Shape
from services.api.http.jsonapi.resource import Filter, Resource, ToOne
from tests.support.core import a_principal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.queries import Query


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with a boss and a friend."""

    id: UUID
    boss: UUID | None = None
    friend: UUID | None = None


PEOPLE: Resource[Person] = Resource(
    type="people",
    id=attrgetter("id"),
    attributes=(),
    relationships=(
        ToOne(name="boss", type="people", linkage=attrgetter("boss")),
        ToOne(name="friend", type="people", linkage=attrgetter("friend")),
    ),
    filters=(Filter(name="id", field="ids", parse=parse_id),),
)


async def _included(
    items: Sequence[Person], listed: Sequence[Person] = (), hidden: Sequence[Person] = ()
) -> list[int]:
    """Who comes along with these, by the number in their id; a list does not tell the hidden."""

    async def list_(_: Principal, query: Query) -> Page[Person]:
        found = [each for each in listed if each.id in query.filters["ids"]]
        return Page(items=tuple(found[: query.size]), total=len(found))

    async def get(_: Principal, id_: UUID) -> Person:
        for each in hidden:
            if each.id == id_:
                return each
        raise NotFound("people", id_)

    served = {"people": Served(PEOPLE, Operations(list=list_, get=get))}
    shape = Shape(include=("boss", "friend"))
    found = await load_included(a_principal(), served, PEOPLE, items, shape)
    assert found is not None
    return [each.id.int for _, each in found]


def _person(id_: int, boss: int | None = None, friend: int | None = None) -> Person:
    known = [None if each is None else UUID(int=each) for each in (boss, friend)]
    return Person(UUID(int=id_), *known)


async def test_each_comes_once() -> None:
    boss = _person(9)
    assert await _included([_person(1, boss=9, friend=9), _person(2, boss=9)], [boss]) == [9]


async def test_primary_data_does_not_come_again() -> None:
    items = [_person(1, boss=2), _person(2, friend=1), _person(3, boss=3, friend=4)]
    assert await _included(items, [*items, _person(4)]) == [4]


async def test_more_than_a_page_of_them() -> None:
    others = [_person(100 + n) for n in range(30)]
    items = [_person(n, boss=100 + n) for n in range(30)]
    assert await _included(items, others) == [each.id.int for each in others]


async def test_what_a_list_leaves_out_is_read_by_its_id() -> None:
    items = [_person(1, boss=7), _person(2, boss=8)]
    assert await _included(items, listed=[_person(8)], hidden=[_person(7)]) == [7, 8]


async def test_what_is_gone_by_now_is_left_out() -> None:
    assert await _included([_person(1, boss=7, friend=8)], [_person(8)]) == [8]
