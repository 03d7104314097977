"""The document's routes, one after the other, with the members that it shows."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from openapi_spec_validator import validate
from sqlalchemy import update
from yarl import URL

from services.api.db.tables import upload_sessions as sessions_table
from services.api.domain.principal import SCOPES
from services.api.domain.queries import ItemQuery, TaskQuery
from tests.contract.upload_sessions.conftest import PER_MINUTE
from tests.support.core import a_principal
from tests.support.pictures import picture
from tests.support.uploading import FILE

if TYPE_CHECKING:
    from tests.contract.upload_sessions.conftest import Network

WHO = a_principal()
UNKNOWN = str(UUID(int=7))
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z")
REFUSAL = {"ok", "message", "api_request_id"}


def moment(text: str) -> datetime:
    assert MOMENT.fullmatch(text), text
    return datetime.fromisoformat(text)


async def test_a_session_as_the_document_begins_it(network: Network) -> None:
    collection = await network.collection()
    answer = await network.call(
        "POST",
        "upload_session",
        {"collection_id": collection, "metadata": {"batch_name": "Summer 2024 Collection"}},
    )
    id_, end = answer["upload_session_id"], answer["expires_at"]
    assert str(UUID(id_)) == id_
    assert answer == {
        "ok": True,
        "upload_session_id": id_,
        "upload_session": {"id": id_, "collection_id": collection, "expires_at": end},
        "expires_at": end,
    }
    left = moment(end) - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)
    assert await network.call("GET", f"upload_session/{id_}") == {
        "ok": True,
        "upload_session_id": id_,
        "upload_session": {
            "id": id_,
            "creator_id": None,
            "collection_id": collection,
            "organization_index": None,
            "metadata": {"batch_name": "Summer 2024 Collection"},
            "expires_at": end,
        },
    }


async def test_everything_that_is_said_of_a_session_is_told_again(network: Network) -> None:
    creators = network.core.use_cases.catalogue["creators"]
    creator = str((await creators.create(WHO, {"display_name": "Somebody"})).id)
    id_ = await network.begin(creator_id=creator, organization_index=12, expires_in=60)
    session = (await network.call("GET", f"upload_session/{id_}"))["upload_session"]
    assert (session["creator_id"], session["organization_index"]) == (creator, "12")
    assert session["metadata"] == {}
    assert moment(session["expires_at"]) - datetime.now(UTC) <= timedelta(minutes=1)


async def test_a_track_as_the_document_adds_it(network: Network) -> None:
    id_ = await network.begin()
    body = {
        "file_name": "track-1.mp3",
        "metadata": {"track_number": 1, "title": "First Track"},
    }
    answer = await network.call("POST", f"upload/{id_}/track", body)
    track, put, post = answer["track_id"], answer["track_upload"], answer["track_cover_upload"]
    UUID(answer["api_request_id"])
    assert answer == {
        "ok": True,
        "api_request_id": answer["api_request_id"],
        "upload_session_id": id_,
        "track_id": track,
        "track": {"id": track, "index": "1", "path": "1/track-1.mp3"},
        "track_upload": {
            "method": "PUT",
            "upload_url": put["upload_url"],
            "ttl": put["ttl"],
            "expires_at": put["expires_at"],
        },
        "track_cover_upload": {
            "method": "POST",
            "upload_url": post["upload_url"],
            "ttl": post["ttl"],
            "expires_at": put["expires_at"],
        },
    }
    session = (await network.call("GET", f"upload_session/{id_}"))["upload_session"]
    assert put["expires_at"] == session["expires_at"]
    assert put["ttl"] in range(3540, 3601)
    seen = await network.core.use_cases.tracks.get(WHO, UUID(track))
    assert (seen.title, seen.metadata) == ("First Track", body["metadata"])
    assert str(seen.collection_id) == session["collection_id"]


async def test_what_is_put_becomes_an_import_and_a_cover(network: Network) -> None:
    id_ = await network.begin()
    body = {"file_name": "a.wav", "metadata": {"isrc": "USRC17607839"}}
    answer = await network.call("POST", f"upload/{id_}/track", body)
    sent = {"track_upload": FILE, "track_cover_upload": picture("png", 400, 400)}
    for name, data in sent.items():
        where = answer[name]
        assert where["upload_url"].startswith("http://127.0.0.1:")
        url = URL(where["upload_url"], encoded=True)
        async with network.session.request(where["method"], url, data=data) as response:
            assert response.status == 200, await response.text()
    track = UUID(answer["track_id"])
    wanted = TaskQuery(target_ids=frozenset({track}))
    (task,) = (await network.core.use_cases.import_tasks.list(WHO, wanted)).items
    assert (task.status, task.isrc, task.master_type) == ("downloaded", "USRC17607839", "hd")
    assert (await network.core.use_cases.tracks.get(WHO, track)).cover_id is not None


async def test_two_tracks_at_once_have_places_of_their_own(network: Network) -> None:
    id_ = await network.begin()
    names = [f"{n}.wav" for n in range(4)]
    answers = await asyncio.gather(
        *(network.call("POST", f"upload/{id_}/track", {"file_name": each}) for each in names)
    )
    assert sorted(each["track"]["index"] for each in answers) == ["1", "2", "3", "4"]
    for name, answer in zip(names, answers, strict=True):
        assert answer["track"]["path"] == f"{answer['track']['index']}/{name}"


async def test_an_expired_session_refuses_tracks(network: Network) -> None:
    id_ = await network.begin()
    past = datetime.now(UTC) - timedelta(seconds=1)
    ended = update(sessions_table).values(expires_at=past)
    await network.core.use_cases.executor.write(lambda t: t.connection.execute(ended))
    status, answer = await network.try_("POST", f"upload/{id_}/track", {"file_name": "a.wav"})
    assert (status, answer["ok"]) == (409, False)
    assert answer["message"] == "The upload session has expired."
    assert (await network.call("GET", f"upload_session/{id_}"))["ok"]


async def test_what_is_wrong_says_so(network: Network) -> None:
    collection, id_ = await network.collection(), await network.begin()
    new, track = "upload_session", f"upload/{id_}/track"
    for status, method, path, body in (
        (400, "POST", new, None),
        (400, "POST", new, []),
        (400, "POST", new, {"collection_id": "x"}),
        (404, "POST", new, {"collection_id": UNKNOWN}),
        (404, "POST", new, {"collection_id": collection, "creator_id": UNKNOWN}),
        (400, "POST", new, {"collection_id": collection, "expires_in": 59}),
        (400, "POST", new, {"collection_id": collection, "expires_in": 86_401}),
        (400, "POST", new, {"collection_id": collection, "metadata": "x"}),
        (400, "POST", new, {"collection_id": collection, "metadata": {"a": "\x00"}}),
        (400, "POST", new, {"collection_id": collection, "organization_index": "x" * 256}),
        (404, "GET", f"upload_session/{UNKNOWN}", None),
        (404, "GET", "upload_session/x", None),
        (404, "POST", f"upload/{UNKNOWN}/track", {"file_name": "a.wav"}),
        (400, "POST", track, {}),
        (400, "POST", track, {"file_name": "x" * 256}),
        (400, "POST", track, {"file_name": "a.wav", "metadata": {"isrc": "1"}}),
        (404, "GET", "nothing", None),
        (405, "GET", new, None),
        (413, "POST", track, {"file_name": "a.wav", "metadata": {"a": "x" * 70_000}}),
    ):
        answer = await network.try_(method, path, body)
        said = answer[1]
        assert (answer[0], said.keys(), said["ok"]) == (status, REFUSAL, False), (path, answer)
        assert said["message"]
        UUID(said["api_request_id"])
    assert (await network.core.use_cases.tracks.list(WHO, ItemQuery())).total == 0


async def test_a_body_is_json_whatever_it_says_of_itself(network: Network) -> None:
    url, who = "/v1/upload_session", {"Authorization": f"Bearer {network.token}"}
    body = b'{"collection_id": "%s"}' % (await network.collection()).encode()
    for type_, status in (
        ("application/x-www-form-urlencoded", 200),
        ("text/plain", 200),
        ("multipart/form-data; boundary=x", 415),
    ):
        headers = who | {"Content-Type": type_}
        async with network.session.post(url, data=body, headers=headers) as response:
            assert response.status == status, type_


async def test_the_same_request_is_done_once(network: Network) -> None:
    id_ = await network.begin()
    path, body = f"upload/{id_}/track", {"file_name": "a.wav"}
    first, again = [
        await network.call("POST", path, body, Idempotency_Key="key-1") for _ in range(2)
    ]
    assert {**again, "api_request_id": ""} == {**first, "api_request_id": ""}
    assert again["api_request_id"] != first["api_request_id"]
    other = {"file_name": "b.wav"}
    assert (await network.try_("POST", path, other, Idempotency_Key="key-1"))[0] == 400
    assert (await network.try_("POST", path, other, Idempotency_Key=""))[0] == 400
    new = {"collection_id": await network.collection()}
    sessions = {
        (await network.call("POST", "upload_session", new, Idempotency_Key="key-2"))[
            "upload_session_id"
        ]
        for _ in range(2)
    }
    assert len(sessions) == 1


async def test_another_tenant_s_ids_lead_nowhere(network: Network) -> None:
    collection, id_ = await network.collection(), await network.begin()
    theirs = await network.core.use_cases.tokens.issue("other", "test", SCOPES)
    other = type(network)(network.session, theirs, network.core)
    for method, path, body in (
        ("POST", "upload_session", {"collection_id": collection}),
        ("GET", f"upload_session/{id_}", None),
        ("POST", f"upload/{id_}/track", {"file_name": "a.wav"}),
    ):
        status, answer = await other.try_(method, path, body)
        assert (status, answer.keys()) == (404, REFUSAL), path


async def test_nobody_gets_in_and_every_scope_is_needed(network: Network) -> None:
    id_ = await network.begin()
    new = {"collection_id": await network.collection()}
    calls: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
        ("POST", "upload_session", new, ("uploads:write",)),
        ("GET", f"upload_session/{id_}", None, ("uploads:read",)),
        (
            "POST",
            f"upload/{id_}/track",
            {"file_name": "a.wav"},
            ("uploads:write", "tracks:write", "tasks:write"),
        ),
    )
    issue = network.core.use_cases.tokens.issue
    for method, path, body, scopes in calls:
        # Not even as a parameter, as elsewhere.
        for query, sent in (("", ""), ("", "Bearer nonsense"), (f"?token={network.token}", "")):
            async with network.session.request(
                method, f"/v1/{path}{query}", json=body, headers={"Authorization": sent}
            ) as response:
                assert response.status == 401, path
                assert response.headers["WWW-Authenticate"].startswith("Bearer ")
                assert (await response.json()).keys() == REFUSAL
        for scope in scopes:
            token = await issue("default", "test", SCOPES - {scope, "admin"})
            status, answer = await type(network)(network.session, token, network.core).try_(
                method, path, body
            )
            assert (status, scope in answer["message"]) == (403, True), (path, scope)
        token = await issue("default", "test", scopes)
        enough = type(network)(network.session, token, network.core)
        assert (await enough.try_(method, path, body))[0] == 200, path


async def test_its_answers_say_what_may_still_be_asked(network: Network) -> None:
    headers = {"Authorization": f"Bearer {network.token}"}
    url = f"/v1/upload_session/{UNKNOWN}"
    async with network.session.get(url, headers=headers) as response:
        assert f"q={PER_MINUTE}" in response.headers["RateLimit-Policy"]


async def test_its_description_is_valid_and_open_to_everybody(network: Network) -> None:
    async with network.session.get("/v1/openapi.json") as response:
        document = await response.json()
    validate(document)
    assert document["paths"].keys() == {
        "/upload_session",
        "/upload_session/{upload_session_id}",
        "/upload/{upload_session_id}/track",
    }
    assert document["components"]["securitySchemes"].keys() == {"token"}
    async with network.session.get("/v1/docs") as response:
        assert "upload_session" in await response.text()
