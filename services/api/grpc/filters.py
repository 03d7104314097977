"""The subset of AIP-160 that lists understand.

    filter    = factor { "AND" factor } ;
    factor    = condition { "OR" condition } ;    OR binds tighter than AND, as in AIP-160
    condition = field ( "=" | ":" ) value ;
    value     = word | '"' text '"' ;
    word      = letters, digits and "_", ".", "/", "-" ;    anything else must be quoted

All conditions of one factor are about the same field, so a filter is a set of allowed values per
field.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from services.api.domain.errors import InvalidQuery
from services.api.domain.lifecycle import Status
from services.api.grpc.messages import STATE_PREFIX
from services.api.grpc.names import parse_any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from uuid import UUID

State = TypeVar("State", bound=StrEnum)
Filter = dict[str, frozenset[str]]

_TOKEN: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[=:]|[A-Za-z0-9_./-]+)', re.DOTALL)
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_EXCERPT: Final = 60


def parse_filter(text: str, fields: Collection[str]) -> Filter:
    """The values that each named field may have; raises InvalidQuery.

    A field that is named by several factors may have the values that all of them allow.
    """
    allowed: Filter = {}
    if tokens := list(_tokens(text)):
        for factor in _split(tokens, "AND"):
            field, values = _factor(factor, fields)
            allowed[field] = allowed.get(field, values) & values
    return allowed


def statuses(values: Collection[str] | None) -> frozenset[Status] | None:
    """The statuses that states stand for, with or without their prefix; raises InvalidQuery."""
    return states(values, Status)


def states(values: Collection[str] | None, kind: type[State]) -> frozenset[State] | None:
    """The same for states of any kind."""
    if values is None:
        return None
    known = {state.name: state for state in kind}
    wanted = {value.removeprefix(STATE_PREFIX) for value in values}
    if unknown := wanted - known.keys():
        raise _refusal(f"There is no state {min(unknown)[:_EXCERPT]!r}")
    return frozenset(known[name] for name in wanted)


def ids(values: Collection[str] | None, *collections: str) -> frozenset[UUID] | None:
    """The ids in names of one of the collections; raises InvalidQuery."""
    if values is None:
        return None
    found = {value: parse_any(value, collections) for value in values}
    if wrong := [value for value, target in found.items() if target is None]:
        names = " or ".join(f"{collection}/{{uuid}}" for collection in collections)
        raise _refusal(f"{wrong[0][:_EXCERPT]!r} is not {names}")
    return frozenset(target.id for target in found.values() if target)


def numbers(values: Collection[str] | None) -> frozenset[int] | None:
    """The numbers that words stand for; raises InvalidQuery."""
    if values is None:
        return None
    if wrong := [value for value in values if not _NUMBER.fullmatch(value)]:
        raise _refusal(f"{wrong[0][:_EXCERPT]!r} is not a number")
    return frozenset(map(int, values))


def _tokens(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _refusal(f"This is not understood: {text[at : at + _EXCERPT]!r}")
        yield found[1]
        at = found.end()


def _split(tokens: Sequence[str], word: str) -> Iterator[list[str]]:
    part: list[str] = []
    for token in tokens:
        if token == word:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _factor(tokens: Sequence[str], fields: Collection[str]) -> tuple[str, frozenset[str]]:
    conditions = [_condition(part, fields) for part in _split(tokens, "OR")]
    if len(names := {field for field, _ in conditions}) > 1:
        raise _refusal("OR can join conditions on one field only")
    return names.pop(), frozenset(value for _, value in conditions)


def _condition(tokens: Sequence[str], fields: Collection[str]) -> tuple[str, str]:
    match tokens:
        case [field, "=" | ":", value] if field in fields and value not in {"=", ":"}:
            return field, _unquoted(value)
        case [field, "=" | ":", _] if field not in fields:
            raise _refusal(f"There is no filter on {field[:_EXCERPT]!r}")
        case _:
            raise _refusal(f"This is no condition: {' '.join(tokens)[:_EXCERPT]!r}")


def _unquoted(value: str) -> str:
    return _ESCAPE.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _refusal(what: str) -> InvalidQuery:
    return InvalidQuery("filter", f"{what}.")
