"""What the IDOL facade takes and refuses, in the words and with the codes of jsonapi-resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from services.api.domain.principal import SCOPES
from services.api.domain.queries import Slice
from services.api.http.server import make_app
from tests.support.core import a_principal
from tests.support.idol import TASKS, a_shelf, new_task
from tests.support.jsonapi import MEDIA_TYPE, Client, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.core import Core
    from tests.support.idol import Shelf
    from tests.support.jsonapi import Answer

Said = tuple[str, str, str, str]
"""The status, code, title and detail of an error."""


@pytest.fixture
async def shelf(core: Core) -> Shelf:
    """Something to attach masters to."""
    return await a_shelf(core)


def said(answer: Answer) -> list[Said]:
    """What an answer of this facade refuses."""
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.document.keys() == {"errors"}
    return [
        (each["status"], each["code"], each["title"], each["detail"])
        for each in answer.document["errors"]
    ]


def ids(answer: Answer) -> list[str]:
    return [each["id"] for each in answer.document["data"]]


async def make(client: Client, shelf: Shelf, *types: str) -> list[str]:
    """Tasks for these."""
    documents = [new_task(type_, shelf.numbers[type_]) for type_ in types]
    answers = [await client.send("POST", TASKS, document) for document in documents]
    return [str(answer.document["data"]["id"]) for answer in answers]


# Lists


async def test_filters(client: Client, core: Core, shelf: Shelf) -> None:
    made = await make(client, shelf, "tracks", "products", "videos", "asset-attachment")
    loose = await core.use_cases.catalogue["products"].create(a_principal(), {"title": "x"})
    alone = (await client.send("POST", TASKS, new_task("products", loose.number))).document
    for query, found in {
        f"product-id]={shelf.numbers['products']}": made,
        f"product-id]={loose.number}": [alone["data"]["id"]],
        f"product-id]={shelf.numbers['products']},{loose.number}": [*made, alone["data"]["id"]],
        "product-id]=999": [],
        f"distributor-id]={shelf.distributor}": made,
        f"id]={made[0]},{made[2]}": [made[0], made[2]],
    }.items():
        answer = await client.get(f"{TASKS}?filter[{query}")
        assert ids(answer) == found, query
        assert answer.document["meta"]["record-count"] == len(found)


async def test_pages(client: Client, shelf: Shelf) -> None:
    made = await make(client, shelf, *["tracks"] * 5)
    path = f"{TASKS}?filter[product-id]={shelf.numbers['products']}&page[number]=2&page[size]=2"
    answer = await client.get(path)
    assert ids(answer) == made[2:4]
    assert answer.document["meta"] == {"record-count": 5, "page-count": 3}
    links = answer.document["links"]
    assert [*links] == ["first", "prev", "next", "last"]
    assert links["next"].endswith(
        f"?filter%5Bproduct-id%5D={shelf.numbers['products']}&page%5Bnumber%5D=3&page%5Bsize%5D=2"
    )
    following = await client.get(links["next"].removeprefix("https://domain.com"))
    assert (ids(following), "next" in following.document["links"]) == (made[4:], False)
    assert (await client.get(f"{TASKS}?page[size]=200")).status == 200
    assert ids(await client.get(f"{TASKS}?page[number]=9")) == []


async def test_order_and_fields(client: Client, shelf: Shelf) -> None:
    made = await make(client, shelf, "tracks", "videos")
    for name in ("created-at", "updated-at", "id"):
        assert ids(await client.get(f"{TASKS}?sort=-{name}")) == made[::-1]
    answer = await client.get(f"{TASKS}/{made[0]}?fields[import-tasks]=status,attachable")
    assert answer.document["data"]["attributes"] == {"status": "uploaded"}
    assert answer.document["data"]["relationships"].keys() == {"attachable"}


@pytest.mark.parametrize(
    ("query", "code", "title", "detail"),
    [
        ("filter[track-id]=1", "102", "Filter not allowed", "track-id is not allowed."),
        (
            "filter[product-id]=x",
            "107",
            "Invalid filter value",
            "x is not a valid value for product-id.",
        ),
        ("fields[import-tasks]=x", "104", "Invalid field", "import-tasks.x is not a valid field."),
        ("fields[x]=y", "101", "Invalid resource", "x is not a valid resource."),
        ("foo=1", "105", "Param not allowed", "foo is not allowed."),
        (
            "include=attachable",
            "112",
            "Invalid field",
            "attachable is not a valid includable relationship.",
        ),
        ("sort=url", "114", "Invalid sort criteria", "url is not a valid sort criteria."),
        (
            "page[after]=x",
            "105",
            "Page parameter not allowed",
            "after is not an allowed page parameter.",
        ),
        (
            "page[number]=0",
            "118",
            "Invalid page value",
            "0 is not a valid value for number page parameter.",
        ),
        (
            "page[size]=201",
            "118",
            "Invalid page value",
            "size exceeds maximum page size of 200.",
        ),
        (
            "page[size]=x",
            "118",
            "Invalid page value",
            "x is not a valid value for size page parameter.",
        ),
    ],
)
async def test_wrong_parameters(
    client: Client, query: str, code: str, title: str, detail: str
) -> None:
    assert said(await client.get(f"{TASKS}?{query}")) == [("400", code, title, detail)]


async def test_each_wrong_name_is_an_error_of_its_own(client: Client) -> None:
    answer = await client.get(f"{TASKS}?filter[b]=1&filter[a]=1")
    assert [(code, detail) for _, code, _, detail in said(answer)] == [
        ("102", "a is not allowed."),
        ("102", "b is not allowed."),
    ]


# Creates


def without(document: Any, *path: str) -> Any:
    """The document without one of its members."""
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return document


@pytest.mark.parametrize(
    ("attributes", "name", "message"),
    [
        ({"master_type": None}, "master-type", "can't be blank"),
        ({"master_type": "subtitles"}, "master-type", "is not included in the list"),
        ({"url": None}, "url", "can't be blank"),
        ({"url": "http://cdn.example.com/a"}, "url", "must be an HTTPS URL"),
        ({"url": 5}, "url", "must be a valid URL"),
        ({"md5": "x"}, "md5", "must be 32 hexadecimal digits"),
        ({"status": "completed"}, "status", "must be uploaded"),
        *(
            (
                {"precision": wrong},
                "precision",
                "must be 16 for cd, 24 for hd and dolby_atmos, and none for others",
            )
            for wrong in (24, "24", 8, "x", 16.5, True, [16], {"16": 1})
        ),
    ],
)
async def test_wrong_values(
    client: Client, shelf: Shelf, attributes: dict[str, object], name: str, message: str
) -> None:
    sent = new_task("tracks", shelf.numbers["tracks"], **attributes)
    answer = await client.send("POST", TASKS, sent)
    assert said(answer) == [("422", "100", message, f"{name} - {message}")]
    pointer = answer.document["errors"][0]["source"]["pointer"]
    assert pointer == f"/data/attributes/{name}"


@pytest.mark.parametrize("precision", [16, "16", None])
async def test_a_precision_is_a_number_or_as_it_is_shown(
    client: Client, shelf: Shelf, precision: object
) -> None:
    sent = new_task("tracks", shelf.numbers["tracks"], precision=precision)
    answer = await client.send("POST", TASKS, sent)
    shown = answer.document["data"]["attributes"]["precision"]
    assert shown == (None if precision is None else "16")


@pytest.mark.parametrize("type_", ["asset-attachment", "asset-attachments"])
async def test_both_names_of_asset_attachments_are_taken(
    client: Client, shelf: Shelf, type_: str
) -> None:
    sent = new_task(type_, shelf.numbers["asset-attachment"])
    data = (await client.send("POST", TASKS, sent)).document["data"]
    assert data["relationships"]["attachable"]["data"]["type"] == "asset-attachment"


async def test_wrong_documents(client: Client, shelf: Shelf) -> None:
    def good() -> Any:
        return new_task("tracks", shelf.numbers["tracks"])

    def attached(**data: object) -> Any:
        document = good()
        document["data"]["relationships"]["attachable"]["data"] = data or None
        return document

    def changed(**members: object) -> Any:
        document = good()
        document["data"] |= members
        return document

    missing = "Missing Parameter", "The required parameter, {}, is missing."
    for document, expected in (
        ({}, ("400", "106", missing[0], missing[1].format("data"))),
        (without(good(), "data", "type"), ("400", "106", missing[0], missing[1].format("type"))),
        (
            changed(type="tracks"),
            ("400", "116", "Type Mismatch", "tracks is not a valid type for this operation."),
        ),
        (changed(id="7"), ("400", "105", "Param not allowed", "id is not allowed.")),
        (
            changed(attributes=good()["data"]["attributes"] | {"message": "x"}),
            ("400", "105", "Param not allowed", "message is not allowed."),
        ),
        (
            changed(attributes=good()["data"]["attributes"] | {"foo": 1}),
            ("400", "105", "Param not allowed", "foo is not allowed."),
        ),
        (
            changed(relationships={"foo": {}} | good()["data"]["relationships"]),
            ("400", "105", "Param not allowed", "foo is not allowed."),
        ),
        (
            changed(relationships={"attachable": {"data": []}}),
            ("400", "115", "Invalid Links Object", "Data is not a valid Links Object."),
        ),
        (
            attached(type="collections", id="1"),
            ("400", "101", "Invalid resource", "collections is not a valid resource."),
        ),
        (
            attached(type="import-tasks", id="1"),
            ("400", "116", "Type Mismatch", "import-tasks is not a valid type for this operation."),
        ),
        *(
            (
                attached(type="videos", id=wrong),
                (
                    "404",
                    "404",
                    "Record not found",
                    f"The record identified by {wrong} could not be found.",
                ),
            )
            for wrong in ("99", "x", "0", "1" * 30, "01924f3b-2222-7000-bbbb-000000000002")
        ),
        *(
            (
                document,
                ("422", "100", "can't be blank", "attachable - can't be blank"),
            )
            for document in (attached(), without(good(), "data", "relationships"))
        ),
    ):
        assert said(await client.send("POST", TASKS, document)) == [expected], document
    assert (await client.get(TASKS)).document["meta"]["record-count"] == 0


async def test_nothing_is_changed_here(client: Client, shelf: Shelf) -> None:
    (id_,) = await make(client, shelf, "tracks")
    for method, path in (("PATCH", id_), ("PATCH", f"{id_}/relationships/attachable")):
        answer = await client.send(method, f"{TASKS}/{path}", {"data": None})
        assert said(answer)[0][:2] == ("403", "403")
    assert (await client.delete(f"{TASKS}/{id_}")).status == 405


@pytest.mark.parametrize("id_", ["99", "x", "01", "1" * 30])
async def test_what_is_not_there(client: Client, shelf: Shelf, id_: str) -> None:
    await make(client, shelf, "tracks")
    detail = f"The record identified by {id_} could not be found."
    for path in (f"{TASKS}/{id_}", f"{TASKS}/{id_}/attachable", f"/api/v2/videos/{id_}"):
        assert said(await client.get(path)) == [("404", "404", "Record not found", detail)]


# Media types


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (MEDIA_TYPE, 200),
        ("*/*", 200),
        ("text/html, */*;q=0.1", 200),
        (f"{MEDIA_TYPE};charset=utf-8, {MEDIA_TYPE};q=0.5", 200),
        (f"{MEDIA_TYPE};charset=utf-8", 406),
        ("application/*", 406),
        ("application/json", 406),
    ],
)
async def test_accept(client: Client, accept: str, status: int) -> None:
    answer = await client.request("GET", TASKS, Accept=accept, Content_Type=MEDIA_TYPE)
    assert answer.status == status
    if status == 406:
        assert said(answer)[0][:3] == ("406", "406", "Not acceptable")
    assert (await client.request("GET", TASKS)).status == 200


@pytest.mark.parametrize("type_", ["application/json", f"{MEDIA_TYPE};charset=utf-8", "text/x"])
async def test_content_type(client: Client, shelf: Shelf, type_: str) -> None:
    body = msgspec.json.encode(new_task("tracks", shelf.numbers["tracks"]))
    answer = await client.request("POST", TASKS, body, Content_Type=type_)
    assert said(answer)[0][:3] == ("415", "415", "Unsupported media type")
    broken = await client.request("POST", TASKS, b"{", Content_Type=MEDIA_TYPE)
    assert said(broken)[0][:2] == ("400", "400")


# Who, how often, how much


async def test_a_repeated_request_makes_no_second_task(client: Client, shelf: Shelf) -> None:
    body = msgspec.json.encode(new_task("tracks", shelf.numbers["tracks"]))
    given = {"Content_Type": MEDIA_TYPE, "Idempotency_Key": "k"}
    answers = [await client.request("POST", TASKS, body, **given) for _ in range(2)]
    assert answers[0].document == answers[1].document
    assert (await client.get(TASKS)).document["meta"]["record-count"] == 1


async def test_another_tenant_sees_and_uses_nothing(
    client: Client, core: Core, shelf: Shelf
) -> None:
    await make(client, shelf, "tracks")
    token = await core.use_cases.tokens.issue("other", "test", SCOPES)
    other = Client(client.session, token)
    assert (await other.get(TASKS)).document["meta"]["record-count"] == 0
    for path in (f"{TASKS}/1", f"{TASKS}/1/attachable", "/api/v2/tracks/1"):
        assert (await other.get(path)).status == 404
    sent = new_task("tracks", shelf.numbers["tracks"])
    assert (await other.send("POST", TASKS, sent)).status == 404
    for name in ("product", "distributor"):
        assert ids(await other.get(f"{TASKS}?filter[{name}-id]=1")) == []
    theirs = await a_shelf(core, a_principal("other"))
    assert theirs.numbers == shelf.numbers
    made = await other.send("POST", TASKS, new_task("tracks", theirs.numbers["tracks"]))
    assert made.document["data"]["id"] == "1"


async def test_a_token_that_may_only_read(client: Client, core: Core, shelf: Shelf) -> None:
    token = await core.use_cases.tokens.issue("default", "reader", ["tasks:read"])
    reader = Client(client.session, token)
    for number in (shelf.numbers["tracks"], 99):
        answer = await reader.send("POST", TASKS, new_task("tracks", number))
        assert said(answer)[0][:2] == ("403", "403")
    assert said(await Client(client.session, None).get(TASKS))[0][:2] == ("401", "401")


@pytest.fixture
async def limited(core: Core) -> AsyncIterator[Client]:
    """A client where two tasks a day may be made."""

    async def ready() -> bool:
        return True

    app = make_app(core.use_cases, public_url=None, ready=ready, daily_writes=2)
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(app) as session:
        yield Client(session, token)


async def test_so_many_tasks_a_day(limited: Client, shelf: Shelf) -> None:
    sent = new_task("tracks", shelf.numbers["tracks"])
    answers = [await limited.send("POST", TASKS, sent) for _ in range(3)]
    assert [each.status for each in answers] == [201, 201, 429]
    assert said(answers[2])[0][:2] == ("429", "429")
    assert 0 < int(answers[2].headers["Retry-After"]) <= 86_400


async def test_it_is_audited(client: Client, core: Core, shelf: Shelf) -> None:
    await make(client, shelf, "tracks")
    log = await core.use_cases.audit.list(a_principal(), Slice())
    assert log.items[-1].action == "importTasks.create"
