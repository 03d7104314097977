"""The demands of JSON:API on servers as cases: https://jsonapi.org/format/.

The numbers count the MUSTs and SHOULDs of the specification's chapters in their order; 39 to 42 are
those of the Atomic Operations extension.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.jsonapi import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.core import Core
    from tests.support.jsonapi import Answer, Client

UNKNOWN = "01924f3b-ffff-7000-bbbb-00000000dead"

_LETTER = r"[a-zA-Z0-9\u0080-\uffff]"
_NAME = re.compile(rf"{_LETTER}([a-zA-Z0-9\u0080-\uffff_ -]*{_LETTER})?")


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and what has to hold of its answer.

    In path and body <TASK>, <PENDING>, <TRACK> and <RECORD> stand for ids.
    """

    clause: int
    says: str
    ask: str
    status: int
    holds: Callable[[Answer], object] = lambda _: True
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def data(answer: Answer) -> Any:
    """The primary data of a document."""
    return answer.document["data"]


def errors(answer: Answer) -> list[dict[str, Any]]:
    """The error objects of a document."""
    found: list[dict[str, Any]] = answer.document["errors"]
    return found


def resources(answer: Answer) -> list[dict[str, Any]]:
    """Every resource object of a document."""
    shown = data(answer)
    primary = shown if isinstance(shown, list) else [shown]
    return [*primary, *answer.document.get("included", [])]


def links(document: object) -> list[dict[str, Any]]:
    """Every links object in a document."""
    if isinstance(document, list):
        return [found for each in document for found in links(each)]
    if not isinstance(document, dict):
        return []
    inner = [found for name, each in document.items() if name != "links" for found in links(each)]
    return [*([document["links"]] if "links" in document else []), *inner]


def names_are_legal(resource: dict[str, Any]) -> bool:
    """Whether the fields of a resource are well named, in one namespace."""
    attributes, relationships = resource["attributes"], resource.get("relationships", {})
    names = [*attributes, *relationships]
    return (
        all(_NAME.fullmatch(name) for name in names)
        and len(set(names)) == len(names)
        and not {"id", "type"} & set(names)
    )


def is_fully_linked(answer: Answer) -> bool:
    """Whether something is included, nothing twice and nothing that is not linked to."""
    linked = {
        (relation["data"]["type"], relation["data"]["id"])
        for resource in resources(answer)
        for relation in resource.get("relationships", {}).values()
        if relation.get("data")
    }
    included = [(each["type"], each["id"]) for each in answer.document["included"]]
    return set(included) <= linked and len(set(included)) == len(included) > 0


def about(parameter: str) -> Callable[[Answer], bool]:
    """Whether the first error is about a query parameter."""
    return lambda answer: errors(answer)[0]["source"] == {"parameter": parameter}


async def stand_ins(core: Core) -> dict[str, str]:
    """The ids of a completed task with its record, of one that is pending, of a track."""
    done = await core.complete(await core.task("USRC12345678"))
    pending = await core.task("USRC12345679")
    assert done.target is not None
    return {
        "<TASK>": str(done.id),
        "<PENDING>": str(pending.id),
        "<TRACK>": str(done.target.id),
        "<RECORD>": str(done.record_id),
    }


async def check(client: Client, core: Core, case: Case) -> None:
    """Send the request of a case and see that its clause holds."""
    ask, body = case.ask, case.body
    for name, id_ in (await stand_ins(core)).items():
        ask, body = ask.replace(name, id_), body and body.replace(name, id_)
    method, path = ask.split(" ", 1)
    headers = {name.replace("-", "_"): value for name, value in case.headers.items()}
    answer = await client.request(method, path, body.encode() if body else None, **headers)
    assert answer.status == case.status, answer.body
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert case.holds(answer), answer.body
