"""A tenant never meets another's data: in lists, filters, links, streams, keys and cursors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest
from grpc import StatusCode

from services.api.domain.principal import ADMIN
from stagedoor.v1 import audit_service_pb2 as audit
from stagedoor.v1 import import_task_service_pb2 as tasks
from stagedoor.v1 import record_service_pb2 as records
from stagedoor.v1 import subscription_service_pb2 as subscriptions
from stagedoor.v1 import track_service_pb2 as tracks
from stagedoor.v1 import upload_service_pb2 as uploads
from stagedoor.v1 import upload_session_service_pb2 as sessions
from stagedoor.v1.audit_service_pb2_grpc import AuditServiceStub
from stagedoor.v1.upload_service_pb2_grpc import UploadServiceStub
from stagedoor.v1.upload_session_service_pb2_grpc import UploadSessionServiceStub
from tests.support.access import ISRC, OTHERS, open_world, things
from tests.support.catalogue import NOUNS, ask
from tests.support.core import a_principal
from tests.support.door import bearer, refused
from tests.support.jsonapi import MEDIA_TYPE, Client, new_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.access import World
    from tests.support.catalogue import Noun
    from tests.support.core import Core
    from tests.support.door import Metadata

FREE_ISRC = "USRC12345679"
UNKNOWN = str(UUID(int=7))
COLLECTIONS = ("/atmos-import-tasks", "/tracks", "/records", "/subscriptions", "/uploads")
ATOMIC = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"'


@pytest.fixture
async def world(core: Core, tmp_path: Path) -> AsyncIterator[World]:
    """Both doors, and something of the tenant ``default`` behind them."""
    async with open_world(core, tmp_path) as opened:
        yield opened


async def stranger(world: World) -> Client:
    """Somebody who may do everything in another tenant, at the HTTP door."""
    return Client(world.session, await world.token(ADMIN, tenant=OTHERS))


async def stranger_there(world: World) -> Metadata:
    """The same at the gRPC door."""
    return bearer(await world.token(ADMIN, tenant=OTHERS))


async def test_lists_and_filters_over_http(world: World) -> None:
    who, ours = await stranger(world), world.ours
    queries = [
        *COLLECTIONS,
        f"/atmos-import-tasks?filter[id]={ours.tasks}",
        f"/atmos-import-tasks?filter[track-id]={ours.tracks}",
        "/atmos-import-tasks?filter[status]=completed",
        "/atmos-import-tasks?include=track,record&sort=-createdAt",
        f"/tracks?filter[id]={ours.tracks}",
        f"/records?filter[id]={ours.records}",
        f"/records?filter[track-id]={ours.tracks}",
        f"/records?filter[isrc]={ISRC}&include=track,importTask",
        f"/subscriptions?filter[id]={ours.subscriptions}",
    ]
    for query in queries:
        answer = await who.get(query)
        assert answer.status == 200, query
        assert answer.document["data"] == [], query
        assert not answer.document.get("included"), query

    owner = Client(world.session, await world.token(ADMIN))
    for query in queries:
        assert len((await owner.get(query)).document["data"]) == 1, query


async def test_lists_and_filters_over_grpc(world: World) -> None:
    door, ours = world.door, world.ours
    log = AuditServiceStub(door.channel)
    target = f'target = "tracks/{ours.tracks}"'
    asked: list[tuple[Any, Any]] = [
        (door.tasks.ListImportTasks, tasks.ListImportTasksRequest()),
        (door.tasks.ListImportTasks, tasks.ListImportTasksRequest(filter=target)),
        (
            door.tasks.ListImportTasks,
            tasks.ListImportTasksRequest(filter=f'name = "importTasks/{ours.tasks}"'),
        ),
        (door.tracks.ListTracks, tracks.ListTracksRequest()),
        (door.records.ListRecords, records.ListRecordsRequest()),
        (door.records.ListRecords, records.ListRecordsRequest(filter=target)),
        (door.records.ListRecords, records.ListRecordsRequest(filter=f'isrc = "{ISRC}"')),
        (door.subscriptions.ListSubscriptions, subscriptions.ListSubscriptionsRequest()),
        (UploadServiceStub(door.channel).ListUploads, uploads.ListUploadsRequest()),
        (
            UploadSessionServiceStub(door.channel).ListUploadSessions,
            sessions.ListUploadSessionsRequest(),
        ),
    ]
    who = await stranger_there(world)
    for method, request in asked:
        assert (await method(request, metadata=who)).total_size == 0, request
        assert (await method(request, metadata=door.admin)).total_size == 1, request
    entries = await log.ListAuditEntries(audit.ListAuditEntriesRequest(), metadata=who)
    assert {entry.action for entry in entries.audit_entries} == {"tokens.create"}
    entries = await log.ListAuditEntries(audit.ListAuditEntriesRequest(), metadata=door.admin)
    assert f"importTasks/{ours.tasks}" in {entry.resource for entry in entries.audit_entries}


def _catalogue_filters(world: World) -> list[tuple[Noun, str, str]]:
    """How something of ours is found in each list of the catalogue, over HTTP and gRPC."""
    ids = {**world.ours.catalogue, "tracks": world.ours.tracks}
    found = []
    for noun in NOUNS:
        id_ = ids[noun.type]
        found += [(noun, "", ""), (noun, f"filter[id]={id_}", f'name = "{noun.collection}/{id_}"')]
        found += [
            (noun, f"filter[{name}-id]={ids[to]}", f'{name} = "{to}/{ids[to]}"')
            for name, to in noun.references.items()
        ]
    return found


async def test_the_catalogue_of_another_is_empty(world: World) -> None:
    who, there = await stranger(world), await stranger_there(world)
    owner = Client(world.session, await world.token(ADMIN))
    for noun, over_http, over_grpc in _catalogue_filters(world):
        path = f"/{noun.type}?{over_http}"
        for client, total in ((who, 0), (owner, 1)):
            answer = await client.get(path)
            assert answer.document["meta"]["page"]["total"] == total, path
        for metadata, total in ((there, 0), (world.door.admin, 1)):
            listed = await ask(world.door, noun, "List", metadata, filter=over_grpc)
            assert listed.total_size == total, over_grpc


async def test_another_s_track_cannot_be_linked_over_http(world: World) -> None:
    who = await stranger(world)
    mine = str((await who.create_task(await who.create_track())).document["data"]["id"])
    for track in (world.ours.tracks, UNKNOWN):
        linkage = {"data": {"type": "tracks", "id": track}}
        change = {
            "data": {
                "type": "atmos-import-tasks",
                "id": mine,
                "relationships": {"track": linkage},
            }
        }
        one = f"/atmos-import-tasks/{mine}"
        answers = [
            await who.create_task(track, secondaryIsrc=FREE_ISRC),
            await who.send("PATCH", one, change),
            await who.send("PATCH", f"{one}/relationships/track", linkage),
            await _operate(who, {"op": "update", "data": change["data"]}),
            await _operate(who, {"op": "add", "data": new_task(track)["data"]}),
        ]
        details = {answer.refusals[0][1] for answer in answers}
        assert {answer.status for answer in answers} == {404}
        assert details == {"The related resource does not exist."}


async def test_operations_reach_nothing_of_another(world: World) -> None:
    who, ours = await stranger(world), world.ours
    owned = (
        ("atmos-import-tasks", ours.tasks),
        ("tracks", ours.tracks),
        ("subscriptions", ours.subscriptions),
    )
    for type_, id_ in owned:
        ref = {"type": type_, "id": id_}
        removed = await _operate(who, {"op": "remove", "ref": ref})
        updated = await _operate(who, {"op": "update", "data": {**ref, "attributes": {}}})
        assert (removed.status, updated.status) == (404, 404)
    owner = Client(world.session, await world.token(ADMIN))
    for type_, id_ in owned:
        assert (await owner.get(f"/{type_}/{id_}")).status == 200


async def _operate(who: Client, operation: object) -> Any:
    body = msgspec.json.encode({"atomic:operations": [operation]})
    return await who.request("POST", "/operations", body, Content_Type=ATOMIC, Accept=ATOMIC)


async def test_another_s_track_cannot_be_linked_over_grpc(world: World) -> None:
    door, who = world.door, await stranger_there(world)
    mine = await world.core.task(FREE_ISRC, a_principal(OTHERS))
    for track in (world.ours.tracks, UNKNOWN):
        task = tasks.ImportTask(
            source_uri="https://cdn.example.com/a.wav", target=f"tracks/{track}"
        )
        change = tasks.ImportTask(name=f"importTasks/{mine.id}", target=f"tracks/{track}")
        new = tasks.CreateImportTaskRequest(import_task=task)
        several = tasks.BatchCreateImportTasksRequest(requests=[new])
        changing = tasks.UpdateImportTaskRequest(import_task=change)
        calls: list[Any] = [
            door.tasks.CreateImportTask(new, metadata=who),
            door.tasks.BatchCreateImportTasks(several, metadata=who),
            door.tasks.UpdateImportTask(changing, metadata=who),
        ]
        for call in calls:
            answer = await refused(call)
            assert (answer.code, answer.reason) == (StatusCode.NOT_FOUND, "RELATED_NOT_FOUND")


async def test_an_isrc_is_unique_within_a_tenant_only(world: World) -> None:
    await things(world.core, OTHERS)
    who = await stranger(world)
    assert (await who.get(f"/records?filter[isrc]={ISRC}")).document["meta"]["page"]["total"] == 1


async def test_includes_need_the_scope_of_what_they_include(world: World) -> None:
    reader = Client(world.session, await world.token("tasks:read"))
    for path in ("/atmos-import-tasks", f"/atmos-import-tasks/{world.ours.tasks}"):
        assert (await reader.get(path)).status == 200
        for include, scope in (("track", "tracks:read"), ("record", "records:read")):
            answer = await reader.get(f"{path}?include={include}")
            assert answer.status == 403
            assert scope in answer.refusals[0][1]


async def test_an_idempotency_key_is_its_tenant_s(world: World) -> None:
    body = msgspec.json.encode({"data": {"type": "tracks", "attributes": {"title": "x"}}})
    given = {"Content_Type": MEDIA_TYPE, "Idempotency_Key": "key-1"}
    made = []
    for who in (Client(world.session, await world.token(ADMIN)), await stranger(world)):
        for _ in range(2):
            answer = await who.request("POST", "/tracks", body, **given)
            assert answer.status == 201
            made.append(answer.document["data"]["id"])
    assert (made[0], made[2]) == (made[1], made[3])
    assert made[0] != made[2]

    request = tracks.CreateTrackRequest(track=tracks.Track(title="x"), request_id="key-2")
    names = [
        (await world.door.tracks.CreateTrack(request, metadata=who)).name
        for who in (world.door.admin, await stranger_there(world))
    ]
    assert names[0] != names[1]


async def test_cursors_carry_nobody_into_another_tenant(world: World) -> None:
    await world.core.track()
    owner, who = Client(world.session, await world.token(ADMIN)), await stranger(world)
    page = (await owner.get("/tracks?page[size]=1&page[after]=")).document
    cursor = page["data"][0]["meta"]["page"]["cursor"]
    for side in ("after", "before"):
        answer = await who.get(f"/tracks?page[size]=1&page[{side}]={cursor}")
        assert answer.status == 400 or answer.document["data"] == [], side


async def test_page_tokens_carry_nobody_into_another_tenant(world: World) -> None:
    await world.core.complete(await world.core.task(FREE_ISRC))
    door, who = world.door, await stranger_there(world)
    lists: list[tuple[Any, Any]] = [
        (door.tasks.ListImportTasks, tasks.ListImportTasksRequest(page_size=1)),
        (door.tracks.ListTracks, tracks.ListTracksRequest(page_size=1)),
        (door.records.ListRecords, records.ListRecordsRequest(page_size=1)),
        (
            AuditServiceStub(door.channel).ListAuditEntries,
            audit.ListAuditEntriesRequest(page_size=1),
        ),
    ]
    for method, request in lists:
        request.page_token = (await method(request, metadata=door.admin)).next_page_token
        assert (await method(request, metadata=door.admin)).total_size > 1
        answer = await refused(method(request, metadata=who))
        assert (answer.reason, answer.fields) == ("INVALID_QUERY", {"page_token": "INVALID"})


async def test_a_watch_tells_of_its_tenant_only_also_from_another_s_cursor(world: World) -> None:
    door = world.door
    watch = door.tasks.WatchImportTasks(tasks.WatchImportTasksRequest(), metadata=door.admin)
    theirs: set[str] = set()
    cursor = (await _told(world, watch.read(), theirs)).cursor
    watch.cancel()
    who = await stranger_there(world)
    for start in ("", cursor):
        request = tasks.WatchImportTasksRequest(cursor=start)
        watch = door.tasks.WatchImportTasks(request, metadata=who)
        change = await _told(world, watch.read(), theirs)
        assert change.import_task.name.partition("/")[2] in theirs
        watch.cancel()


async def test_deliveries_are_found_below_one_s_own_subscriptions_only(world: World) -> None:
    ours, door = world.ours, world.door
    await world.core.use_cases.subscriptions.ping(a_principal(), UUID(ours.subscriptions))
    below = subscriptions.ListDeliveriesRequest(
        parent=f"subscriptions/{ours.subscriptions}", page_size=1
    )
    mine = await door.subscriptions.ListDeliveries(below, metadata=door.admin)
    assert (mine.total_size, bool(mine.next_page_token)) == (2, True)
    for token in ("", mine.next_page_token):
        below.page_token = token
        call = door.subscriptions.ListDeliveries(below, metadata=await stranger_there(world))
        assert (await refused(call)).code in {StatusCode.NOT_FOUND, StatusCode.INVALID_ARGUMENT}
    path = f"/subscriptions/{ours.subscriptions}/deliveries"
    assert (await (await stranger(world)).get(path)).status == 404
    # Nor does a delivery lead to a subscription of others when it is asked for by another's name.
    others = await things(world.core, OTHERS)
    crossed = f"subscriptions/{others.subscriptions}/deliveries/{ours.deliveries}"
    request = subscriptions.GetDeliveryRequest(name=crossed)
    for who in (door.admin, await stranger_there(world)):
        answer = await refused(door.subscriptions.GetDelivery(request, metadata=who))
        assert answer.code is StatusCode.NOT_FOUND


async def test_an_event_stream_tells_of_its_tenant_only(world: World) -> None:
    headers = {"Authorization": f"Bearer {(await stranger(world)).token}"}
    async with world.session.get("/api/v1/events", headers=headers) as response:
        assert response.status == 200
        theirs: set[str] = set()
        document = await _told(world, _event(response.content), theirs)
        assert document["data"]["id"] in theirs


async def _told(world: World, reading: Any, theirs: set[str]) -> Any:
    """What is read while we make and delete tasks and others make some, which are added."""
    told = asyncio.ensure_future(reading)
    async with asyncio.timeout(10):
        while not told.done():
            task = await world.core.task(FREE_ISRC)
            await world.core.use_cases.import_tasks.delete(a_principal(), task.id)
            await world.core.task(FREE_ISRC)
            theirs.add(str((await world.core.task(FREE_ISRC, a_principal(OTHERS))).id))
            await asyncio.wait([told], timeout=0.05)
    return await told


async def _event(lines: Any) -> Any:
    """The document of the first event of a stream."""
    async for line in lines:
        if line.startswith(b"data:"):
            return msgspec.json.decode(line.removeprefix(b"data:").strip())
    return None
