"""Every noun of the catalogue over HTTP, by the same rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import pytest

from tests.support.catalogue import BY_TYPE, NOUNS, one_of_each
from tests.support.core import a_principal
from tests.support.jsonapi import MEDIA_TYPE

if TYPE_CHECKING:
    from tests.support.catalogue import Noun
    from tests.support.core import Core
    from tests.support.jsonapi import Answer, Client

EACH = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.type)
LINKS = [(noun, name, to) for noun in NOUNS for name, to in noun.references.items()]
EACH_LINK = pytest.mark.parametrize(
    ("noun", "name", "to"), LINKS, ids=lambda value: getattr(value, "type", value)
)
BASE = "https://domain.com/api/v1"


def document(noun: Noun, id_: str | None = None, **given: Any) -> dict[str, Any]:
    """A noun's document, with a title unless it has an id; links are the types and ids by name."""
    links = {name: given.pop(name) for name in noun.references if name in given}
    data: dict[str, Any] = {"type": noun.type, "attributes": given}
    if id_ is None:
        data["attributes"] = {noun.title[1]: "x"} | given
    else:
        data["id"] = id_
    if links:
        data["relationships"] = {
            name: {"data": link and dict(zip(("type", "id"), link, strict=True))}
            for name, link in links.items()
        }
    return {"data": data}


async def create(client: Client, noun: Noun, **given: Any) -> str:
    answer = await client.send("POST", f"/{noun.type}", document(noun, **given))
    assert answer.status == 201, answer.body
    return str(answer.document["data"]["id"])


def ids(answer: Answer) -> list[str]:
    return [each["id"] for each in answer.document["data"]]


@EACH
async def test_from_create_to_delete(client: Client, noun: Noun) -> None:
    title = noun.title[1]
    new = document(noun, **{title: "First"})
    created = await client.send("POST", f"/{noun.type}", new)
    assert created.status == 201
    data = created.document["data"]
    url = f"{BASE}/{noun.type}/{data['id']}"
    assert created.headers["Location"] == data["links"]["self"] == url
    assert (data["attributes"][title], data["attributes"]["number"]) == ("First", 1)
    assert data.get("relationships", {}).keys() == noun.references.keys()
    path = f"/{noun.type}/{data['id']}"
    read = await client.get(path)
    assert read.body == created.body
    change = document(noun, data["id"], **{title: "New"})
    changed = await client.send("PATCH", path, change)
    assert changed.document["data"]["attributes"][title] == "New"
    assert changed.document["data"]["attributes"]["number"] == 1
    late = await client.request("DELETE", path, If_Match=read.headers["ETag"])
    assert late.status == 412
    assert (await client.delete(path)).status == 204
    assert (await client.get(path)).status == 404


@EACH
async def test_a_key_gives_the_same_item_again(client: Client, noun: Noun) -> None:
    body = msgspec.json.encode(document(noun))
    given = {"Content_Type": MEDIA_TYPE, "Idempotency_Key": "k"}
    answers = [await client.request("POST", f"/{noun.type}", body, **given) for _ in range(2)]
    assert answers[0].document == answers[1].document
    other = msgspec.json.encode(document(noun, **{noun.title[1]: "y"}))
    assert (await client.request("POST", f"/{noun.type}", other, **given)).status == 422
    assert (await client.get(f"/{noun.type}")).document["meta"]["page"]["total"] == 1


@EACH
async def test_wrong_values_are_pointed_at(client: Client, noun: Noun) -> None:
    title = noun.title[1]
    too_long = f"The {title} field must not be greater than 255 characters."
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({title: None}, title, f"The {title} field is required."),
        ({title: 5}, title, f"The {title} field must be printable text."),
        ({title: "x" * 256}, title, too_long),
    ]
    if noun.has_support_number:
        detail = "The support number field must not be greater than 64 characters."
        wrong.append(({"supportNumber": "x" * 65}, "supportNumber", detail))
    for attributes, where, detail in wrong:
        answer = await client.send("POST", f"/{noun.type}", document(noun, **attributes))
        assert (answer.status, answer.refusals) == (422, [(f"/data/attributes/{where}", detail)])


@EACH
async def test_lists(client: Client, noun: Noun) -> None:
    made = [await create(client, noun) for _ in range(3)]
    every = f"/{noun.type}"
    assert ids(await client.get(f"{every}?sort=-createdAt")) == made[::-1]
    assert ids(await client.get(f"{every}?page[number]=2&page[size]=2")) == made[2:]
    assert ids(await client.get(f"{every}?filter[number]=3,1,x,99999999999999999999")) == [
        made[0],
        made[2],
    ]
    assert ids(await client.get(f"{every}?filter[id]={made[1]}")) == made[1:2]
    page = (await client.get(f"{every}?page[size]=1&page[after]=&sort=updatedAt")).document
    cursor = page["data"][0]["meta"]["page"]["cursor"]
    after = f"{every}?page[size]=2&page[after]={cursor}&sort=updatedAt"
    assert ids(await client.get(after)) == made[1:]


@EACH_LINK
async def test_references(client: Client, noun: Noun, name: str, to: str) -> None:
    one, other = [await create(client, BY_TYPE[to]) for _ in range(2)]
    linked = await create(client, noun, **{name: (to, one)})
    await create(client, noun)
    path = f"/{noun.type}/{linked}"
    shown = (await client.get(f"{path}?include={name}")).document
    assert shown["data"]["relationships"][name]["data"] == {"type": to, "id": one}
    assert [each["id"] for each in shown["included"]] == [one]
    assert (await client.get(f"{path}/{name}")).document["data"]["id"] == one
    assert ids(await client.get(f"/{noun.type}?filter[{name}-id]={one}")) == [linked]
    assert (await client.delete(f"/{to}/{one}")).status == 409
    linkage = {"data": {"type": to, "id": other}}
    relinked = await client.send("PATCH", f"{path}/relationships/{name}", linkage)
    assert relinked.document["data"] == linkage["data"]
    assert (await client.delete(f"/{to}/{one}")).status == 204
    cleared = await client.send("PATCH", path, document(noun, linked, **{name: None}))
    assert cleared.status == 200
    assert (await client.get(f"{path}/{name}")).document["data"] is None


@EACH_LINK
async def test_references_lead_to_something(
    client: Client, core: Core, noun: Noun, name: str, to: str
) -> None:
    theirs = (await one_of_each(core, a_principal("other")))[to]
    made = await create(client, noun)
    pointer = f"/data/relationships/{name}"
    for missing in (uuid4(), theirs):
        link: dict[str, Any] = {name: (to, str(missing))}
        answers = [
            await client.send("POST", f"/{noun.type}", document(noun, **link)),
            await client.send("PATCH", f"/{noun.type}/{made}", document(noun, made, **link)),
        ]
        for answer in answers:
            refusal = (pointer, "The related resource does not exist.")
            assert (answer.status, answer.refusals) == (404, [refusal])
    elsewhere: dict[str, Any] = {name: ("records", str(uuid4()))}
    wrong = document(noun, **elsewhere)
    assert (await client.send("POST", f"/{noun.type}", wrong)).status == 422


async def test_an_atomic_request_makes_what_it_links(client: Client) -> None:
    def added(noun: Noun, lid: str, **relationships: str) -> dict[str, Any]:
        data = {**document(noun)["data"], "lid": lid}
        data["relationships"] = {
            name: {"data": {"type": noun.references[name], "lid": to}}
            for name, to in relationships.items()
        }
        return {"op": "add", "data": data}

    operations = [
        added(BY_TYPE["distributors"], "d"),
        added(BY_TYPE["products"], "p", distributor="d"),
        *(added(BY_TYPE["tracks"], f"t{n}", product="p") for n in range(120)),
    ]
    body = msgspec.json.encode({"atomic:operations": operations})
    type_ = f'{MEDIA_TYPE};ext="https://jsonapi.org/ext/atomic"'
    answer = await client.request("POST", "/operations", body, Content_Type=type_, Accept=type_)
    assert answer.status == 200
    results = [each["data"] for each in answer.document["atomic:results"]]
    product, tracks = results[1]["id"], results[2:]
    assert len({each["attributes"]["number"] for each in tracks}) == 120
    listed = await client.get(f"/tracks?filter[product-id]={product}")
    assert listed.document["meta"]["page"]["total"] == 120


async def test_the_atmos_facade_takes_tracks_only(client: Client) -> None:
    video = await create(client, BY_TYPE["videos"])
    task = {
        "type": "atmos-import-tasks",
        "attributes": {"url": "https://cdn.example.com/m.wav", "secondaryIsrc": "USRC12345678"},
        "relationships": {"track": {"data": {"type": "videos", "id": video}}},
    }
    answer = await client.send("POST", "/atmos-import-tasks", {"data": task})
    assert answer.status == 422
    assert answer.refusals[0][0] == "/data/relationships/track"
