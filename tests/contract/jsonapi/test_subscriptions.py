"""Subscriptions and deliveries over JSON:API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from services.api.domain.principal import SCOPES
from services.api.domain.subscriptions import Outcome
from tests.support.jsonapi import Client

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Answer

BASE = "https://domain.com/api/v1"
TARGET = "https://hooks.example.com/in"


def new(**attributes: object) -> dict[str, Any]:
    return {"data": {"type": "subscriptions", "attributes": {"target": TARGET} | attributes}}


async def act(client: Client, path: str, **headers: str) -> Answer:
    """Ask for an action, which takes no document."""
    return await client.request("POST", path, None, **headers)


async def rotate(client: Client, id_: str, **attributes: object) -> Answer:
    document = {"data": {"type": "secrets", "attributes": attributes}}
    return await client.send("POST", f"/subscriptions/{id_}/secrets", document)


async def attempt(core: Core, outcome: Outcome) -> None:
    """What is due was tried, and came to this."""
    sending = core.use_cases.sending
    taken = await sending.take(10, {}, 10)
    assert taken
    await sending.settle([(each, outcome) for each in taken])


async def test_from_create_to_delete(client: Client) -> None:
    created = await client.send(
        "POST", "/subscriptions", new(eventTypes=["stagedoor.import_task.*"], description="Ours")
    )
    assert (created.status, created.headers["Cache-Control"]) == (201, "no-store")
    data = created.document["data"]
    url, secret = f"{BASE}/subscriptions/{data['id']}", data["meta"].pop("secret")
    assert created.headers["Location"] == url
    assert secret.startswith("whsec_")
    moment = data["attributes"]["createdAt"]
    assert data == {
        "type": "subscriptions",
        "id": data["id"],
        "attributes": {
            "target": TARGET,
            "eventTypes": ["stagedoor.import_task.*"],
            "description": "Ours",
            "enabled": True,
            "disabledReason": None,
            "failingSince": None,
            "createdAt": moment,
            "updatedAt": moment,
        },
        "relationships": {"deliveries": {"links": {"related": f"{url}/deliveries"}}},
        "links": {"self": url},
        "meta": {},
    }
    path = f"/subscriptions/{data['id']}"
    read = await client.get(path)
    assert read.document["data"] == {name: data[name] for name in data if name != "meta"}
    # What was read can be sent back.
    change = {"data": {**read.document["data"], "attributes": {"enabled": False}}}
    changed = await client.send("PATCH", path, change)
    assert changed.status == 200, changed.body
    assert changed.document["data"]["attributes"]["disabledReason"] == "asked"
    assert (await client.delete(path)).status == 204
    assert (await client.get(path)).status == 404


async def test_a_secret_is_told_to_who_makes_it_and_to_nobody_else(client: Client) -> None:
    with capture_logs() as logs:
        created = await client.send("POST", "/subscriptions?fields[subscriptions]=target", new())
        id_ = created.document["data"]["id"]
        rotated = await rotate(client, id_, overlapSeconds=0.5)
    assert (rotated.status, rotated.headers["Cache-Control"]) == (201, "no-store")
    assert not {"Location", "ETag"} & {*rotated.headers}
    data = rotated.document["data"]
    assert (data["type"], data["id"], data.keys()) == ("secrets", id_, {"type", "id", "attributes"})
    assert data["attributes"]["overlapSeconds"] == 0.5
    secrets = [created.document["data"]["meta"]["secret"], data["attributes"]["secret"]]
    assert len(set(secrets)) == 2
    seen = [await client.get(path) for path in (f"/subscriptions/{id_}", "/subscriptions")]
    change = {"data": {"type": "subscriptions", "id": id_, "attributes": {"enabled": True}}}
    seen.append(await client.send("PATCH", f"/subscriptions/{id_}", change))
    assert not any(b"whsec_" in answer.body for answer in seen)
    assert not any(secret in str(logs) for secret in secrets)


async def test_the_same_request_is_told_the_same_secret(client: Client) -> None:
    headers = {"Idempotency_Key": "a", "Content_Type": "application/vnd.api+json"}
    body = b'{"data":{"type":"subscriptions","attributes":{"target":"https://a.example.com/"}}}'
    first, again = [
        await client.request("POST", "/subscriptions", body, **headers) for _ in range(2)
    ]
    assert (first.status, first.body) == (201, again.body)
    path = f"/subscriptions/{first.document['data']['id']}/secrets"
    wanted = b'{"data":{"type":"secrets"}}'
    headers["Idempotency_Key"] = "b"
    rotated, repeated = [await client.request("POST", path, wanted, **headers) for _ in range(2)]
    assert (rotated.status, rotated.body) == (201, repeated.body)
    assert rotated.document["data"]["attributes"]["overlapSeconds"] == 86_400
    assert (await client.get("/subscriptions")).document["meta"]["page"]["total"] == 1


@pytest.mark.parametrize(
    ("attributes", "where", "detail"),
    [
        ({"target": None}, "target", "The target field is required."),
        ({"target": "http://a.example.com/"}, "target", "The target field must be an HTTPS URL."),
        (
            {"target": "https://10.0.0.1/"},
            "target",
            "The target field must not lead to a private or reserved address.",
        ),
        ({"target": "mailto:a@example.com"}, "target", "This server sends no mail."),
        (
            {"eventTypes": ["x"]},
            "eventTypes",
            "The event types field must be a list of types of events, or prefix.*.",
        ),
        ({"enabled": "yes"}, "enabled", "The enabled field must be true or false."),
        (
            {"description": "a\nb"},
            "description",
            "The description field must be one line of at most 255 characters.",
        ),
    ],
)
async def test_wrong_values(
    client: Client, attributes: dict[str, object], where: str, detail: str
) -> None:
    answer = await client.send("POST", "/subscriptions", new(**attributes))
    assert (answer.status, answer.refusals) == (422, [(f"/data/attributes/{where}", detail)])


@pytest.mark.parametrize("overlap", [-1, 604_801, "1", True])
async def test_how_long_a_secret_may_not_overlap(client: Client, overlap: object) -> None:
    answer = await rotate(client, await client.subscribe(), overlapSeconds=overlap)
    detail = "The overlap seconds field must be a number of seconds from 0 to 604800."
    assert (answer.status, answer.refusals) == (422, [("/data/attributes/overlapSeconds", detail)])


async def test_only_the_version_that_was_read_is_changed(client: Client) -> None:
    id_ = await client.subscribe()
    path = f"/subscriptions/{id_}"
    tag = (await client.get(path)).headers["ETag"]
    assert (await client.request("GET", path, If_None_Match=tag)).status == 304
    body = b'{"data":{"type":"secrets"}}'
    sent = {"Content_Type": "application/vnd.api+json", "If_Match": tag}
    assert (await client.request("POST", f"{path}/secrets", body, **sent)).status == 201
    assert (await client.request("POST", f"{path}/secrets", body, **sent)).status == 412
    assert (await client.request("DELETE", path, If_Match=tag)).status == 412
    assert (await act(client, f"{path}/pings", If_Match=tag)).status == 412


async def test_a_delivery_from_ping_to_replay(client: Client, core: Core) -> None:
    id_ = await client.subscribe()
    sent, again = [
        await act(client, f"/subscriptions/{id_}/pings", Idempotency_Key="a") for _ in range(2)
    ]
    assert (sent.status, sent.body) == (201, again.body)
    data = sent.document["data"]
    path = f"/deliveries/{data['id']}"
    url = f"{BASE}{path}"
    assert sent.headers["Location"] == sent.document["links"]["self"] == url
    made = data["attributes"]["createdAt"]
    assert data == {
        "type": "deliveries",
        "id": data["id"],
        "attributes": {
            "eventId": data["attributes"]["eventId"],
            "eventType": "stagedoor.ping",
            "target": TARGET,
            "state": "pending",
            "attempts": 0,
            "lastStatus": None,
            "lastError": None,
            "lastAttemptAt": None,
            "nextAttemptAt": made,
            "createdAt": made,
            "endedAt": None,
        },
        "relationships": {
            "subscription": {
                "links": {
                    "related": f"{url}/subscription",
                    "self": f"{url}/relationships/subscription",
                }
            }
        },
        "links": {"self": url},
    }
    assert (await client.get(path)).body == sent.body
    await attempt(core, Outcome(error="bad_status", status=500, permanent=True))
    failed = (await client.get(path)).document["data"]["attributes"]
    assert (failed["state"], failed["lastStatus"], failed["lastError"]) == (
        "failed",
        500,
        "bad_status",
    )
    replayed = await act(client, f"{path}/replays", Idempotency_Key="b")
    assert (replayed.status, "Location" in replayed.headers) == (200, False)
    attributes = replayed.document["data"]["attributes"]
    assert (attributes["state"], attributes["attempts"]) == ("pending", 0)
    assert attributes["eventId"] == data["attributes"]["eventId"]


async def test_what_is_disabled_is_not_sent_to(client: Client) -> None:
    id_ = await client.subscribe(enabled=False)
    answer = await act(client, f"/subscriptions/{id_}/pings")
    detail = "The subscription is disabled. Enable it first."
    assert (answer.status, answer.refusals) == (409, [("", detail)])


async def test_deliveries_are_listed_below_their_subscription(client: Client, core: Core) -> None:
    id_, other = [await client.subscribe() for _ in range(2)]
    at = f"/subscriptions/{id_}/deliveries"
    ids = [(await act(client, f"/subscriptions/{id_}/pings")).document["data"]["id"]]
    await attempt(core, Outcome(status=204))
    for _ in range(2):
        ids.insert(0, (await act(client, f"/subscriptions/{id_}/pings")).document["data"]["id"])
    await act(client, f"/subscriptions/{other}/pings")

    async def listed(query: str = "") -> list[str]:
        return [each["id"] for each in (await client.get(f"{at}{query}")).document["data"]]

    assert await listed() == ids
    assert await listed("?sort=createdAt") == ids[::-1]
    assert await listed("?filter[state]=succeeded,failed") == ids[2:]
    assert await listed("?filter[state]=x") == []
    page = (await client.get(f"{at}?page[size]=2&include=subscription")).document
    assert [each["id"] for each in page["data"]] == ids[:2]
    assert page["meta"]["page"]["total"] == 3
    assert page["links"]["next"].startswith(f"{BASE}{at}?")
    assert [(each["type"], each["id"]) for each in page["included"]] == [("subscriptions", id_)]
    seen: list[str] = []
    after = f"{at}?page[after]=&page[size]=2"
    while after:
        page = (await client.get(after)).document
        seen += [each["id"] for each in page["data"]]
        after = (page["links"].get("next") or "").removeprefix(BASE)
    assert seen == ids
    for query, where in (("filter[status]=x", "filter"), ("sort=state", "sort"), ("x=1", "x")):
        answer = await client.get(f"{at}?{query}")
        assert (answer.status, answer.refusals[0][0]) == (400, where)
    assert (await client.get(f"/subscriptions/{uuid4()}/deliveries")).status == 404
    assert (await client.get("/deliveries")).status == 404


async def test_a_delivery_leads_to_its_subscription(client: Client) -> None:
    id_ = await client.subscribe()
    sent = await act(client, f"/subscriptions/{id_}/pings?include=subscription")
    assert [each["id"] for each in sent.document["included"]] == [id_]
    path = f"/deliveries/{sent.document['data']['id']}"
    assert (await client.get(f"{path}/subscription")).document["data"]["id"] == id_
    linkage = await client.get(f"{path}/relationships/subscription")
    assert linkage.document["data"] == {"type": "subscriptions", "id": id_}
    # What is pending goes with it.
    await client.delete(f"/subscriptions/{id_}")
    assert (await client.get(path)).status == 404


async def test_subscriptions_in_operations(client: Client) -> None:
    """They are made, changed and deleted as all else; their secret comes by rotation."""
    type_ = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"'
    body = (
        b'{"atomic:operations":[{"op":"add","data":{"type":"subscriptions","lid":"a",'
        b'"attributes":{"target":"https://a.example.com/"}}},{"op":"update","data":'
        b'{"type":"subscriptions","lid":"a","attributes":{"description":"x"}}}]}'
    )
    answer = await client.request("POST", "/operations", body, Accept=type_, Content_Type=type_)
    assert answer.status == 200, answer.body
    assert b"whsec_" not in answer.body
    last = answer.document["atomic:results"][1]["data"]
    assert last["attributes"]["description"] == "x"
    assert (await rotate(client, last["id"])).status == 201


async def test_another_tenant_s_are_not_there(client: Client, core: Core) -> None:
    id_ = await client.subscribe()
    sent = (await act(client, f"/subscriptions/{id_}/pings")).document["data"]["id"]
    token = await core.use_cases.tokens.issue("other", "test", SCOPES)
    stranger = Client(client.session, token)
    for path in (
        f"/subscriptions/{id_}",
        f"/subscriptions/{id_}/deliveries",
        f"/deliveries/{sent}",
    ):
        assert (await client.get(path)).status == 200
        assert (await stranger.get(path)).status == 404
    for path in (f"/subscriptions/{id_}/pings", f"/deliveries/{sent}/replays"):
        assert (await act(stranger, path)).status == 404
    assert (await rotate(stranger, id_)).status == 404
    listed = (await stranger.get("/subscriptions")).document
    assert (listed["data"], listed["meta"]["page"]["total"]) == ([], 0)
