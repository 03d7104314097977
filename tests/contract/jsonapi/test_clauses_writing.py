"""What JSON:API demands of writing, errors and atomic operations: clauses 26 to 42."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.http.jsonapi.atomic import EXTENSION
from tests.support.clauses import (
    UNKNOWN,
    Case,
    check,
    data,
    errors,
)
from tests.support.jsonapi import MEDIA_TYPE

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Client

TASKS = "/atmos-import-tasks"
ATOMIC = f'{MEDIA_TYPE};ext="{EXTENSION}"'
TRACK = '{"data": {"type": "tracks", "attributes": {"title": "x"}}}'
CHANGE = '{"data": {"type": "atmos-import-tasks", "id": "<PENDING>", "attributes": %s}}'
LINKED = '{"data": {"type": "tracks", "id": "<TRACK>"}}'
NEW = (
    '{"data": {"type": "atmos-import-tasks", "attributes": {"url": "https://cdn.example.com/a.wav",'
    ' "secondaryIsrc": "USRC12345670"}, "relationships": {"track": %s}}}'
)
ONE = '{"atomic:operations": [{"op": "add", "data": {"type": "tracks", "attributes": %s}}]}'
SENT = {"Content-Type": MEDIA_TYPE}
RUN = {"Content-Type": ATOMIC}

CASES = [
    Case(
        26,
        "a request succeeds or fails as a whole",
        f"PATCH {TASKS}/<PENDING>",
        422,
        body=CHANGE % '{"declaredMd5": "0123456789abcdef0123456789abcdef", "url": "x"}',
        headers=SENT,
    ),
    Case(27, "a new resource has a type", "POST /tracks", 400, body='{"data": {}}', headers=SENT),
    Case(27, "a relationship has data", f"POST {TASKS}", 400, body=NEW % "{}", headers=SENT),
    Case(
        28,
        "403 for ids that clients make",
        "POST /tracks",
        403,
        body=f'{{"data": {{"type": "tracks", "id": "{UNKNOWN}"}}}}',
        headers=SENT,
    ),
    Case(
        29,
        "201 with the resource, Location is its links.self",
        "POST /tracks",
        201,
        lambda answer: answer.headers["Location"] == data(answer)["links"]["self"],
        body=TRACK,
        headers=SENT,
    ),
    Case(
        30,
        "what is accepted but not finished is a resource of its own, with its state",
        f"POST {TASKS}",
        201,
        lambda answer: data(answer)["attributes"]["status"] == "pending",
        body=NEW % LINKED,
        headers=SENT,
    ),
    Case(
        31,
        "404 for a related resource that does not exist",
        f"POST {TASKS}",
        404,
        body=NEW % LINKED.replace("<TRACK>", UNKNOWN),
        headers=SENT,
    ),
    Case(
        31,
        "also when changing",
        f"PATCH {TASKS}/<PENDING>/relationships/track",
        404,
        body=LINKED.replace("<TRACK>", UNKNOWN),
        headers=SENT,
    ),
    Case(
        32,
        "409 for a type that is not the collection's",
        "POST /tracks",
        409,
        body='{"data": {"type": "records"}}',
        headers=SENT,
    ),
    Case(
        32,
        "409 for an id that is not the URL's",
        f"PATCH {TASKS}/<TASK>",
        409,
        body=CHANGE % "{}",
        headers=SENT,
    ),
    Case(
        33,
        "PATCH answers as GET would, what is missing stays",
        f"PATCH {TASKS}/<PENDING>",
        200,
        lambda answer: data(answer)["attributes"]["secondaryIsrc"] == "USRC12345679",
        body=CHANGE % '{"declaredMd5": "0123456789abcdef0123456789abcdef"}',
        headers=SENT,
    ),
    Case(
        33,
        "PATCH needs type and id",
        f"PATCH {TASKS}/<PENDING>",
        400,
        body='{"data": {"type": "atmos-import-tasks"}}',
        headers=SENT,
    ),
    Case(
        33,
        "404 for what does not exist",
        f"PATCH /tracks/{UNKNOWN}",
        404,
        body=f'{{"data": {{"type": "tracks", "id": "{UNKNOWN}"}}}}',
        headers=SENT,
    ),
    Case(
        33,
        "403 for what cannot be changed",
        "PATCH /records/<RECORD>",
        403,
        body='{"data": {"type": "records", "id": "<RECORD>"}}',
        headers=SENT,
    ),
    Case(
        34,
        "a to-one relationship is changed by PATCH",
        f"PATCH {TASKS}/<PENDING>/relationships/track",
        200,
        lambda answer: data(answer)["type"] == "tracks",
        body=LINKED,
        headers=SENT,
    ),
    Case(
        34,
        "403 where that is not supported",
        f"PATCH {TASKS}/<PENDING>/relationships/record",
        403,
        body='{"data": null}',
        headers=SENT,
    ),
    Case(
        35, "204 without content", f"DELETE {TASKS}/<PENDING>", 204, lambda answer: not answer.body
    ),
    Case(35, "404 for what does not exist", f"DELETE {TASKS}/{UNKNOWN}", 404),
    Case(
        36,
        "errors are an array of objects with the members defined",
        f"POST {TASKS}",
        422,
        lambda answer: all(
            error.keys() <= {"id", "links", "status", "code", "title", "detail", "source", "meta"}
            and error["status"] == "422"
            for error in errors(answer)
        ),
        body='{"data": {"type": "atmos-import-tasks"}}',
        headers=SENT,
    ),
    Case(
        37,
        "the most general status of several",
        f"POST {TASKS}",
        400,
        lambda answer: {error["status"] for error in errors(answer)} == {"400", "403"},
        body='{"data": {"type": "atmos-import-tasks", "id": "1", "attributes": {"x": 1}}}',
        headers=SENT,
    ),
    Case(
        38,
        "an error has a status, and a pointer to what it is about",
        f"POST {TASKS}",
        404,
        lambda answer: errors(answer)[0]["source"] == {"pointer": "/data/relationships/track"},
        body=NEW % LINKED.replace("<TRACK>", "x"),
        headers=SENT,
    ),
    Case(39, "POST only", "GET /operations", 405),
    Case(39, "Content-Type names ext", "POST /operations", 415, body=ONE % "{}", headers=SENT),
    Case(
        40,
        "in order, all or nothing",
        "POST /operations",
        422,
        lambda answer: errors(answer)[0]["source"]["pointer"].startswith("/atomic:operations/0"),
        body=ONE % "{}",
        headers=RUN,
    ),
    Case(
        41,
        "as many results as operations, at their positions",
        "POST /operations",
        200,
        lambda answer: [r["data"]["type"] for r in answer.document["atomic:results"]] == ["tracks"],
        body=ONE % '{"title": "x"}',
        headers=RUN | {"Accept": ATOMIC},
    ),
    Case(
        42,
        "400 for a malformed operation, with a pointer into the array",
        "POST /operations",
        400,
        lambda answer: errors(answer)[0]["source"] == {"pointer": "/atomic:operations/0/op"},
        body='{"atomic:operations": [{"op": "x"}]}',
        headers=RUN,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.clause} {case.says}")
async def test_clause(client: Client, core: Core, case: Case) -> None:
    await check(client, core, case)


def test_no_clause_is_left_out() -> None:
    assert {case.clause for case in CASES} == set(range(26, 43))
