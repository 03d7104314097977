"""TrackService over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from uuid_utils.compat import uuid7

from stagedoor.v1 import track_service_pb2 as pb
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door


async def create(door: Door, title: str = "Song", isrc: str = "") -> pb.Track:
    request = pb.CreateTrackRequest(track=pb.Track(title=title, isrc=isrc))
    return await door.tracks.CreateTrack(request, metadata=door.admin)


async def update(door: Door, track: pb.Track, *paths: str) -> pb.Track:
    request = pb.UpdateTrackRequest(track=track, update_mask=FieldMask(paths=paths))
    return await door.tracks.UpdateTrack(request, metadata=door.admin)


async def get(door: Door, name: str) -> pb.Track:
    return await door.tracks.GetTrack(pb.GetTrackRequest(name=name), metadata=door.admin)


async def delete(door: Door, name: str) -> None:
    await door.tracks.DeleteTrack(pb.DeleteTrackRequest(name=name), metadata=door.admin)


async def test_a_track_lives_and_ends(door: Door) -> None:
    track = await create(door, "Song", "usrc12345678")
    assert (track.title, track.isrc) == ("Song", "USRC12345678")
    assert await get(door, track.name) == track

    renamed = await update(door, pb.Track(name=track.name, title="Song 2"))
    assert (renamed.title, renamed.isrc) == ("Song 2", "USRC12345678")
    assert renamed.update_time.ToDatetime() > track.update_time.ToDatetime()

    await delete(door, track.name)
    answer = await refused(get(door, track.name))
    assert (answer.code, answer.resource) == (
        StatusCode.NOT_FOUND,
        ("stagedoor.dev/Track", track.name),
    )


async def test_a_mask_clears_the_isrc_and_leaves_the_title(door: Door) -> None:
    track = await create(door, "Song", "USRC12345678")
    changed = await update(door, pb.Track(name=track.name, title="ignored"), "isrc")
    assert (changed.title, changed.isrc) == ("Song", "")


async def test_every_wrong_field_is_named(door: Door) -> None:
    answer = await refused(create(door, "x" * 256, "nope"))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields == {"track.title": "TOO_LONG", "track.isrc": "INVALID"}


@pytest.mark.parametrize("paths", [("title",), ("*",)])
async def test_a_title_cannot_be_taken_away(door: Door, paths: tuple[str, ...]) -> None:
    track = await create(door)
    answer = await refused(update(door, pb.Track(name=track.name), *paths))
    assert answer.fields == {"track.title": "REQUIRED"}


async def test_a_track_in_use_stays(door: Door, core: Core) -> None:
    task = await core.task()
    assert task.target is not None
    answer = await refused(delete(door, f"tracks/{task.target.id}"))
    assert (answer.code, answer.reason) == (StatusCode.FAILED_PRECONDITION, "IN_USE")


async def test_what_does_not_exist_cannot_be_changed(door: Door) -> None:
    name = f"tracks/{uuid7()}"
    for call in (update(door, pb.Track(name=name, title="x")), delete(door, name)):
        assert (await refused(call)).resource == ("stagedoor.dev/Track", name)
