"""What JSON:API demands of media types, documents and fetching: clauses 1 to 25."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.http.jsonapi.cursors import PROFILE
from tests.support.clauses import (
    UNKNOWN,
    Case,
    about,
    check,
    data,
    is_fully_linked,
    links,
    names_are_legal,
    resources,
    stand_ins,
)
from tests.support.jsonapi import MEDIA_TYPE

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Client

TASKS = "/atmos-import-tasks"
BASE = "https://domain.com/api/v1"
TOP = {"data", "errors", "meta", "jsonapi", "links", "included"}
TRACK = '{"data": {"type": "tracks", "attributes": {"title": "x"}}}'
SENT = {"Content-Type": MEDIA_TYPE}

CASES = [
    Case(
        1,
        "documents are sent as the media type without parameters",
        "GET /tracks",
        200,
        lambda answer: answer.headers["Content-Type"] == MEDIA_TYPE,
    ),
    Case(
        1,
        "but for ext and profile when they were applied",
        "GET /tracks",
        200,
        lambda answer: answer.headers["Content-Type"] == f'{MEDIA_TYPE};profile="{PROFILE}"',
        headers={"Accept": f'{MEDIA_TYPE};profile="{PROFILE}"'},
    ),
    Case(
        2,
        "415 for a Content-Type with another parameter",
        "POST /tracks",
        415,
        body=TRACK,
        headers={"Content-Type": f"{MEDIA_TYPE};charset=utf-8"},
    ),
    Case(
        2,
        "415 for an extension that is not supported",
        "POST /tracks",
        415,
        body=TRACK,
        headers={"Content-Type": f'{MEDIA_TYPE};ext="https://example.com/x"'},
    ),
    Case(
        3,
        "406 when every instance in Accept has parameters",
        "GET /tracks",
        406,
        headers={"Accept": f'{MEDIA_TYPE};charset=utf-8, {MEDIA_TYPE};ext="x"'},
    ),
    Case(
        3,
        "also when any other type would do",
        "GET /tracks",
        406,
        headers={"Accept": f"{MEDIA_TYPE};charset=utf-8, */*"},
    ),
    Case(
        3,
        "one bare instance is enough, with any weight",
        "GET /tracks",
        200,
        headers={"Accept": f'{MEDIA_TYPE};ext="x", {MEDIA_TYPE};q=0.1'},
    ),
    Case(
        4,
        "unknown profiles are ignored",
        "POST /tracks",
        201,
        body=TRACK,
        headers={
            "Content-Type": f'{MEDIA_TYPE};profile="https://example.com/x"',
            "Accept": f'{MEDIA_TYPE};profile="https://example.com/x"',
        },
    ),
    Case(
        4,
        "Vary names Accept",
        "GET /tracks",
        200,
        lambda answer: answer.headers["Vary"] == "Accept",
    ),
    Case(5, "no Accept is served", "GET /tracks", 200, headers={"Accept": ""}),
    Case(5, "any Accept is served", "GET /tracks", 200, headers={"Accept": "*/*"}),
    Case(
        5,
        "415 for a body of another type",
        "POST /tracks",
        415,
        body=TRACK,
        headers={"Content-Type": "application/json"},
    ),
    Case(
        6,
        "an object with data or errors, never both; included only with data",
        f"GET {TASKS}?include=track",
        200,
        lambda answer: (
            {"data", "included"} <= answer.document.keys() and "errors" not in answer.document
        ),
    ),
    Case(
        6,
        "errors come without data",
        "GET /albums",
        404,
        lambda answer: answer.document.keys() == {"errors", "jsonapi"},
    ),
    Case(
        7,
        "no members beyond those defined",
        f"GET {TASKS}?include=track,record",
        200,
        lambda answer: (
            answer.document.keys() <= TOP
            and all(
                each.keys() <= {"type", "id", "attributes", "relationships", "links", "meta"}
                for each in resources(answer)
            )
        ),
    ),
    Case(
        7,
        "unrecognised members of a request are ignored",
        "POST /tracks",
        201,
        body='{"x": 1, "data": {"y": 2, "type": "tracks", "attributes": {"title": "x"}}}',
        headers=SENT,
    ),
    Case(
        8,
        "a single target is one resource",
        "GET /tracks/<TRACK>",
        200,
        lambda answer: isinstance(data(answer), dict),
    ),
    Case(
        8,
        "a collection is an array, also of one",
        "GET /records",
        200,
        lambda answer: isinstance(data(answer), list) and len(data(answer)) == 1,
    ),
    Case(
        8,
        "and of none",
        "GET /records?filter[id]=",
        200,
        lambda answer: data(answer) == [],
    ),
    Case(
        9,
        "resources have a string id and type, and legal names in one namespace",
        f"GET {TASKS}?include=track,record",
        200,
        lambda answer: all(
            isinstance(each["id"], str) and isinstance(each["type"], str) and names_are_legal(each)
            for each in resources(answer)
        ),
    ),
    Case(
        10,
        "foreign keys are no attributes",
        f"GET {TASKS}",
        200,
        lambda answer: (
            not any(
                name.lower().endswith("id")
                for each in resources(answer)
                for name in each["attributes"]
            )
        ),
    ),
    Case(
        11,
        "a relationship has links",
        f"GET {TASKS}/<TASK>",
        200,
        lambda answer: all(
            each["links"].keys() == {"self", "related"}
            for each in data(answer)["relationships"].values()
        ),
    ),
    Case(
        11,
        "its linkage is null or an identifier",
        f"GET {TASKS}/<PENDING>?include=record,track",
        200,
        lambda answer: (
            data(answer)["relationships"]["record"]["data"] is None
            and data(answer)["relationships"]["track"]["data"].keys() == {"type", "id"}
        ),
    ),
    Case(
        12,
        "the related link is good even when it leads to nothing",
        f"GET {TASKS}/<PENDING>/record",
        200,
        lambda answer: data(answer) is None,
    ),
    Case(
        13,
        "links.self of a resource leads to it",
        "GET /tracks/<TRACK>",
        200,
        lambda answer: data(answer)["links"]["self"] == f"{BASE}/tracks/{data(answer)['id']}",
    ),
    Case(
        14,
        "an identifier is type and id",
        f"GET {TASKS}/<TASK>/relationships/track",
        200,
        lambda answer: data(answer).keys() == {"type", "id"},
    ),
    Case(
        15,
        "compound documents are fully linked, nothing twice",
        f"GET {TASKS}?include=track,record",
        200,
        is_fully_linked,
    ),
    Case(
        16,
        "meta and links are objects, links are strings or null, jsonapi.version is a string",
        f"GET {TASKS}?page[after]=",
        200,
        lambda answer: (
            isinstance(answer.document["meta"], dict)
            and isinstance(answer.document["jsonapi"]["version"], str)
            and all(
                link is None or isinstance(link, str)
                for links in links(answer.document)
                for link in links.values()
            )
        ),
    ),
    Case(18, "404 for an unknown resource", f"GET /tracks/{UNKNOWN}", 404),
    Case(
        18,
        "200 and null for an empty to-one",
        f"GET {TASKS}/<PENDING>/record",
        200,
        lambda answer: data(answer) is None,
    ),
    Case(19, "a relationship URL shows linkage", f"GET {TASKS}/<TASK>/relationships/record", 200),
    Case(19, "404 without its parent", f"GET {TASKS}/{UNKNOWN}/relationships/record", 404),
    Case(19, "404 without the relationship", f"GET {TASKS}/<TASK>/relationships/artist", 404),
    Case(
        19,
        "200 when it is empty",
        f"GET {TASKS}/<PENDING>/relationships/record",
        200,
        lambda answer: data(answer) is None,
    ),
    Case(20, "400 for an unknown path", f"GET {TASKS}?include=artist", 400, about("include")),
    Case(
        20,
        "400 where include is not supported",
        f"GET {TASKS}/<TASK>/relationships/track?include=track",
        400,
        about("include"),
    ),
    Case(
        20,
        "nothing that was not asked for",
        f"GET {TASKS}?include=record",
        200,
        lambda answer: {each["type"] for each in answer.document["included"]} == {"records"},
    ),
    Case(
        20,
        "an empty value means none, and included is there",
        f"GET {TASKS}?include=",
        200,
        lambda answer: answer.document["included"] == [],
    ),
    Case(
        21,
        "only the fields that were named; relationships are fields",
        f"GET {TASKS}?fields[atmos-import-tasks]=url,record",
        200,
        lambda answer: all(
            list(each["attributes"]) == ["url"] and list(each["relationships"]) == ["record"]
            for each in data(answer)
        ),
    ),
    Case(
        21,
        "an empty value means none",
        f"GET {TASKS}?fields[atmos-import-tasks]=",
        200,
        lambda answer: not any({"attributes", "relationships"} & e.keys() for e in data(answer)),
    ),
    Case(
        22,
        "ascending, descending with a minus",
        f"GET {TASKS}?sort=-createdAt",
        200,
        lambda answer: (
            [e["attributes"]["status"] for e in data(answer)] == ["pending", "completed"]
        ),
    ),
    Case(22, "400 for an unsupported field", f"GET {TASKS}?sort=url", 400, about("sort")),
    Case(
        23,
        "first, last, prev, next, in the collection's links",
        f"GET {TASKS}?page[number]=1&page[size]=1",
        200,
        lambda answer: answer.document["links"].keys() == {"first", "last", "next", "describedby"},
    ),
    Case(23, "page is reserved", "GET /tracks?page=1", 400, about("page")),
    Case(
        24,
        "filter is for filtering",
        f"GET {TASKS}?filter[status]=completed,download_failed",
        200,
        lambda answer: [each["attributes"]["status"] for each in data(answer)] == ["completed"],
    ),
    Case(24, "400 for an unknown filter", f"GET {TASKS}?filter[x]=1", 400, about("filter")),
    Case(25, "400 for an unknown parameter", "GET /tracks?foo=1", 400, about("foo")),
    Case(
        25,
        "brackets count the same encoded or not",
        f"GET {TASKS}?filter%5Bstatus%5D=completed",
        200,
        lambda answer: len(data(answer)) == 1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.clause} {case.says}")
async def test_clause(client: Client, core: Core, case: Case) -> None:
    await check(client, core, case)


async def test_17_every_link_leads_somewhere(client: Client, core: Core) -> None:
    ids = await stand_ins(core)
    follow = {f"{BASE}{path}" for path in (TASKS, "/tracks", "/records")}
    follow |= {f"{BASE}{TASKS}/{ids['<TASK>']}?include=track,record"}
    seen: set[str] = set()
    while follow - seen:
        url = (follow - seen).pop()
        seen.add(url)
        answer = await client.get(url.removeprefix("https://domain.com"))
        assert answer.status == 200, url
        if answer.headers["Content-Type"] == MEDIA_TYPE:
            found = (link for each in links(answer.document) for link in each.values())
            follow |= {link for link in found if link is not None}
    assert len(seen) > 20


def test_no_clause_is_left_out() -> None:
    assert {case.clause for case in CASES} | {17} == set(range(1, 26))
