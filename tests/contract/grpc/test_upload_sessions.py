"""UploadSessionService over a real channel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from grpc import StatusCode

from services.api.use_cases.uploads import INCOMING
from shared.blobs.local import LocalStore
from stagedoor.v1 import track_service_pb2 as tracks_pb
from stagedoor.v1 import upload_session_service_pb2 as pb
from stagedoor.v1.upload_session_service_pb2_grpc import UploadSessionServiceStub
from tests.support.catalogue import BY_TYPE, ask, new_message
from tests.support.core import open_core
from tests.support.door import open_door, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.door import Door

URL = "https://stagedoor.example.com"
METADATA = {"batch": "Summer", "n": 1, "half": 0.5, "parts": [None, True, {"a": "é"}]}
UNKNOWN = str(UUID(int=7))


@pytest.fixture
async def door(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    """The gRPC door of a core that has a folder for bytes."""
    async with open_core(sqlite_url, store=LocalStore(tmp_path / "blobs")) as core:
        reached = replace(core, use_cases=core.use_cases.reached_at(URL))
        async with open_door(reached) as opened:
            yield opened


def stub(door: Door) -> Any:
    return UploadSessionServiceStub(door.channel)


def struct(values: Any) -> Struct:
    message = Struct()
    message.update(values)
    return message


async def an_item(door: Door, type_: str) -> str:
    noun = BY_TYPE[type_]
    made = await ask(door, noun, "Create", **{noun.snake: new_message(noun)})
    name: str = made.name
    return name


async def begin(door: Door, key: str = "", **fields: Any) -> pb.UploadSession:
    fields.setdefault("collection", await an_item(door, "collections"))
    wanted = pb.UploadSession(**fields)
    request = pb.CreateUploadSessionRequest(upload_session=wanted, request_id=key)
    made: pb.UploadSession = await stub(door).CreateUploadSession(request, metadata=door.admin)
    return made


async def add(door: Door, name: str, **fields: Any) -> pb.AddTrackResponse:
    request = pb.AddTrackRequest(**{"name": name, "file_name": "a.wav"} | fields)
    added: pb.AddTrackResponse = await stub(door).AddTrack(request, metadata=door.admin)
    return added


async def test_a_session_lives_and_ends(door: Door) -> None:
    creator = await an_item(door, "creators")
    made = await begin(
        door,
        creator=creator,
        organization_index="7",
        metadata=struct(METADATA),
        ttl={"seconds": 90},
    )
    assert (made.creator, made.organization_index) == (creator, "7")
    assert MessageToDict(made.metadata) == METADATA
    assert made.state == pb.UploadSession.STATE_OPEN
    assert made.expire_time.seconds - made.create_time.seconds in {89, 90}
    assert not made.HasField("ttl")
    get = pb.GetUploadSessionRequest(name=made.name)
    assert await stub(door).GetUploadSession(get, metadata=door.admin) == made
    delete = pb.DeleteUploadSessionRequest(name=made.name)
    await stub(door).DeleteUploadSession(delete, metadata=door.admin)
    answer = await refused(stub(door).GetUploadSession(get, metadata=door.admin))
    assert answer.resource == ("stagedoor.dev/UploadSession", made.name)


async def test_what_is_wrong_with_a_session(door: Door) -> None:
    for fields, field, reason in (
        ({"collection": ""}, "upload_session.collection", "REQUIRED"),
        ({"collection": "x"}, "upload_session.collection", "INVALID"),
        ({"creator": "x"}, "upload_session.creator", "INVALID"),
        ({"ttl": {"seconds": 59}}, "upload_session.ttl", "INVALID"),
        ({"collection": f"collections/{UNKNOWN}"}, "upload_session.collection", "NOT_FOUND"),
        ({"creator": f"creators/{UNKNOWN}"}, "upload_session.creator", "NOT_FOUND"),
    ):
        answer = await refused(begin(door, **fields))
        assert answer.fields == {field: reason}, fields
    session = await begin(door)
    isrc = struct({"isrc": "1"})
    answer = await refused(add(door, session.name, metadata=isrc, file_name=""))
    assert answer.fields == {"file_name": "REQUIRED", "metadata.isrc": "INVALID"}


async def test_lists_of_sessions(door: Door) -> None:
    made = [await begin(door) for _ in range(3)]
    request = pb.ListUploadSessionsRequest(page_size=2, order_by="create_time desc")
    first = await stub(door).ListUploadSessions(request, metadata=door.admin)
    assert [*first.upload_sessions] == [made[2], made[1]]
    request.page_token = first.next_page_token
    second = await stub(door).ListUploadSessions(request, metadata=door.admin)
    assert ([*second.upload_sessions], second.total_size) == ([made[0]], 3)
    narrow = pb.ListUploadSessionsRequest(filter=f'collection = "{made[1].collection}"')
    found = await stub(door).ListUploadSessions(narrow, metadata=door.admin)
    assert ([*found.upload_sessions], found.total_size) == ([made[1]], 1)
    narrow = pb.ListUploadSessionsRequest(filter=f'creator = "creators/{UNKNOWN}"')
    found = await stub(door).ListUploadSessions(narrow, metadata=door.admin)
    assert found.total_size == 0


async def test_a_track_is_added_with_its_links(door: Door) -> None:
    session = await begin(door)
    metadata = struct({"title": "First Track", "isrc": "USRC17607839", "n": 1})
    added = await add(door, session.name, metadata=metadata, organization_index="3")
    track = added.track
    assert (track.title, track.isrc, track.index) == ("First Track", "USRC17607839", "1")
    assert (track.path, track.collection) == ("1/a.wav", session.collection)
    assert (track.organization_index, track.metadata) == ("3", metadata)
    get = tracks_pb.GetTrackRequest(name=track.name)
    assert await door.tracks.GetTrack(get, metadata=door.admin) == track
    for upload, kind in ((added.master_upload, "master"), (added.cover_upload, "cover")):
        assert (upload.kind, upload.upload_session) == (kind, session.name)
        assert upload.upload_uri.startswith(f"{URL}{INCOMING}/")
        assert upload.expire_time == session.expire_time
    assert added.cover_upload.target == track.name


async def test_the_same_request_gets_the_same_answer(door: Door) -> None:
    collection = await an_item(door, "collections")
    first, again = [await begin(door, "a", collection=collection) for _ in range(2)]
    assert first == again
    one, same = [await add(door, first.name, request_id="b") for _ in range(2)]
    assert one == same
    answer = await refused(add(door, first.name, request_id="b", file_name="c"))
    assert answer.reason == "REQUEST_ID_REUSED"
    tried = await add(door, first.name, validate_only=True)
    assert tried.track.index == "2"
    answer = await refused(
        door.tracks.GetTrack(tracks_pb.GetTrackRequest(name=tried.track.name), metadata=door.admin)
    )
    assert answer.code is StatusCode.NOT_FOUND


async def test_a_track_s_metadata_can_be_changed_and_cleared(door: Door) -> None:
    noun = BY_TYPE["tracks"]
    made = await ask(door, noun, "Create", track=new_message(noun, metadata=struct({"a": 1})))
    for changed, paths in ((struct({"a": 2}), []), (None, ["metadata"])):
        track = new_message(noun, name=made.name, metadata=changed)
        mask = {"paths": paths}
        seen = await ask(door, noun, "Update", track=track, update_mask=mask)
        assert seen.HasField("metadata") == (changed is not None)
        assert seen.metadata == (changed or Struct())
