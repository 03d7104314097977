"""Upload sessions: the tracks that are added, what is expected for them, and their end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from services.api.db.tables import upload_sessions as sessions_table
from services.api.db.tables import uploads as uploads_table
from services.api.domain.errors import (
    InUse,
    InvalidFields,
    KeyReused,
    NotFound,
    RelatedNotFound,
    ScopeMissing,
    StateConflict,
)
from services.api.domain.lifecycle import Status
from services.api.domain.queries import ItemQuery, TaskQuery, UploadQuery, UploadSessionQuery
from services.api.domain.task import Target
from services.api.domain.upload_sessions import KEPT, SessionState
from services.api.domain.uploads import UploadState
from services.api.use_cases.items import Fields
from services.api.use_cases.options import Options
from services.api.use_cases.session_fields import SessionFields, TrackFields
from services.api.use_cases.settings import SettingsFields
from shared.blobs.local import LocalStore
from tests.support.core import a_principal, open_core
from tests.support.uploading import FILE, FILE_MD5, a_session, blobs, bring

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.domain.catalogue import Collection
    from services.api.domain.upload_sessions import UploadSession
    from services.api.use_cases.upload_sessions import Added
    from tests.support.core import Core

WHO, STRANGER = a_principal(), a_principal("other")
UNKNOWN = UUID(int=7)


@pytest.fixture
async def any_core(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    """The use cases with a folder for bytes, once on SQLite and once on PostgreSQL."""
    async with open_core(database_url, store=LocalStore(tmp_path / "blobs")) as opened:
        yield opened


async def a_collection(core: Core) -> Collection:
    made: Collection = await core.use_cases.catalogue["collections"].create(WHO, {"title": "x"})
    return made


async def add(core: Core, session: UploadSession, name: str = "a.wav", **fields: Any) -> Added:
    wanted = TrackFields(file_name=name, **fields)
    return await core.use_cases.upload_sessions.add_track(WHO, session.id, wanted)


async def age(core: Core, session: UploadSession, by: timedelta) -> None:
    """Let a session and what is expected in it have expired so long ago."""

    def unit(transaction: Any) -> None:
        past = transaction.now() - by
        for table, mine in (
            (sessions_table, sessions_table.c.id == session.id),
            (uploads_table, uploads_table.c.session_id == session.id),
        ):
            transaction.connection.execute(update(table).where(mine).values(expires_at=past))

    await core.use_cases.executor.write(unit)


async def uploads_of(core: Core, session: UploadSession) -> set[UUID]:
    mine = select(uploads_table.c.id).where(uploads_table.c.session_id == session.id)
    return await core.use_cases.executor.read(lambda c: set(c.scalars(mine)))


async def test_a_session_is_kept_as_it_was_given(any_core: Core) -> None:
    creator = await any_core.use_cases.catalogue["creators"].create(WHO, {"display_name": "x"})
    metadata = {"batch_name": "Summer", "n": 1, "parts": [1.5, None, True, {"a": "é"}]}
    made = await a_session(
        any_core, creator=creator.id, organization_index="A 7", metadata=metadata, ttl=90
    )
    assert await any_core.use_cases.upload_sessions.get(WHO, made.id) == made
    assert (made.creator_id, made.organization_index) == (creator.id, "A 7")
    assert made.metadata == metadata
    assert timedelta(seconds=88) < made.expires_at - made.created_at <= timedelta(seconds=90)
    assert any_core.use_cases.upload_sessions.state_of(made) is SessionState.OPEN


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"collection": None}, "collection"),
        ({"ttl": 59}, "ttl"),
        ({"ttl": 86_401}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"organization_index": "x" * 256}, "organization_index"),
        ({"metadata": {"a": "x" * 17_000}}, "metadata"),
        ({"metadata": {"a": "\x00"}}, "metadata"),
        ({"metadata": {"a": "\ud800"}}, "metadata"),
        ({"metadata": {"a": float("nan")}}, "metadata"),
        ({"metadata": {"a": 2**63}}, "metadata"),
        ({"metadata": {"a": [[[[[[[[]]]]]]]]}}, "metadata"),
        ({"metadata": "x"}, "metadata"),
    ],
)
async def test_what_no_session_can_be(core: Core, fields: dict[str, Any], field: str) -> None:
    given = {"collection": (await a_collection(core)).id} | fields
    with pytest.raises(InvalidFields) as refused:
        await core.use_cases.upload_sessions.create(WHO, SessionFields(**given))
    assert [each.field for each in refused.value.violations] == [field]


async def test_what_a_session_is_linked_to_is_there_and_stays(any_core: Core) -> None:
    collection = await a_collection(any_core)
    for who, fields in (
        (STRANGER, {"collection": collection.id}),
        (WHO, {"collection": UNKNOWN}),
        (WHO, {"collection": collection.id, "creator": UNKNOWN}),
    ):
        with pytest.raises(RelatedNotFound):
            await any_core.use_cases.upload_sessions.create(who, SessionFields(**fields))
    session = await a_session(any_core, collection=collection.id)
    items = any_core.use_cases.catalogue["collections"]
    with pytest.raises(InUse, match="upload session"):
        await items.delete(WHO, collection.id)
    await age(any_core, session, timedelta(0))
    await items.delete(WHO, collection.id)


async def test_lists_of_sessions(any_core: Core) -> None:
    creator = await any_core.use_cases.catalogue["creators"].create(WHO, {"display_name": "x"})
    first, second = await a_session(any_core), await a_session(any_core, creator=creator.id)
    await a_session(any_core, STRANGER)
    sessions = any_core.use_cases.upload_sessions
    for query, expected in (
        (UploadSessionQuery(), [first, second]),
        (UploadSessionQuery(order=(("created_at", True),), limit=1), [second]),
        (UploadSessionQuery(ids=frozenset({first.id})), [first]),
        (UploadSessionQuery(collections=frozenset({second.collection_id})), [second]),
        (UploadSessionQuery(creators=frozenset({creator.id})), [second]),
    ):
        page = await sessions.list(WHO, query)
        assert [*page.items] == expected
        assert page.total == (2 if query.ids is query.collections is query.creators else 1)


async def test_a_track_is_added_with_its_uploads(any_core: Core) -> None:
    session = await a_session(any_core)
    metadata = {"title": "First Track", "isrc": "usrc17607839", "track_number": 1}
    added = await add(
        any_core, session, "cd 1/track-1.mp3", metadata=metadata, organization_index=" 1"
    )
    track = added.track
    assert (track.title, track.isrc) == ("First Track", "USRC17607839")
    assert (track.index, track.path) == ("1", "1/cd 1/track-1.mp3")
    assert (track.collection_id, track.organization_index) == (session.collection_id, " 1")
    assert track.metadata == metadata
    assert await any_core.use_cases.tracks.get(WHO, track.id) == track
    master, cover = added.master, added.cover
    assert (master.kind, master.file_name) == ("master", "cd 1/track-1.mp3")
    assert (cover.kind, cover.target) == ("cover", Target("tracks", track.id))
    for upload in (master, cover):
        assert await any_core.use_cases.uploads.get(WHO, upload.id) == upload
        assert (upload.session_id, upload.expires_at) == (session.id, session.expires_at)
    plain = await add(any_core, session, "cd 1/track-2.mp3")
    assert (plain.track.title, plain.track.index) == ("track-2", "2")


async def test_its_import_begins_when_its_master_has_come(any_core: Core) -> None:
    session = await a_session(any_core)
    await any_core.use_cases.settings.update(WHO, SettingsFields(upload_master_type="cd"))
    usual = await add(any_core, session)
    atmos = await add(
        any_core, session, metadata={"isrc": "USRC17607839", "master_type": "dolby_atmos"}
    )
    for added, type_, isrc in (
        (usual, "cd", None),
        (atmos, "dolby_atmos", "USRC17607839"),
    ):
        stored = await bring(any_core, added.master)
        wanted = TaskQuery(target_ids=frozenset({added.track.id}))
        (task,) = (await any_core.use_cases.import_tasks.list(WHO, wanted)).items
        assert (task.status, task.source_upload_id) == (Status.DOWNLOADED, stored.id)
        assert (task.master_type, task.isrc, task.target) == (
            type_,
            isrc,
            Target("tracks", added.track.id),
        )
        assert task.master is not None
        assert task.master.md5 == FILE_MD5


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"file_name": ""}, ("file_name", None)),
        ({"file_name": "x" * 256}, ("file_name", None)),
        ({"metadata": {"isrc": "US-RC1-76-07839"}}, ("metadata", "isrc")),
        ({"metadata": {"isrc": ["USRC17607839"]}}, ("metadata", "isrc")),
        ({"metadata": {"title": "x" * 256}}, ("metadata", "title")),
        ({"metadata": {"master_type": "vinyl"}}, ("metadata", "master_type")),
        ({"metadata": {"master_type": []}}, ("metadata", "master_type")),
    ],
)
async def test_what_no_track_can_be(
    core: Core, fields: dict[str, Any], where: tuple[str, str | None]
) -> None:
    session = await a_session(core)
    wanted = TrackFields(**({"file_name": "a.wav"} | fields))
    with pytest.raises(InvalidFields) as refused:
        await core.use_cases.upload_sessions.add_track(WHO, session.id, wanted)
    assert [(each.field, each.member) for each in refused.value.violations] == [where]
    assert (await core.use_cases.tracks.list(WHO, ItemQuery())).total == 0


async def test_two_tracks_at_once_have_places_of_their_own(any_core: Core) -> None:
    collection = await a_collection(any_core)
    there = Fields(title="x", collection=Target("collections", collection.id))
    await any_core.use_cases.tracks.create(WHO, there)
    sessions = [await a_session(any_core, collection=collection.id) for _ in range(2)]
    added = await asyncio.gather(*(add(any_core, each) for each in sessions * 6))
    # The one that was there before counts along.
    assert sorted(int(each.track.index or 0) for each in added) == [*range(2, 14)]
    # A place is never given again.
    await any_core.use_cases.tracks.delete(WHO, max(added, key=lambda e: e.track.id).track.id)
    assert (await add(any_core, sessions[0])).track.index == "14"
    other = await a_session(any_core)
    assert (await add(any_core, other)).track.index == "1"


async def test_what_is_refused_takes_no_place(any_core: Core) -> None:
    session = await a_session(any_core)
    lacking = a_principal("default", "uploads:write", "tracks:write")
    wanted = TrackFields(file_name="a.wav")
    with pytest.raises(ScopeMissing, match="tasks:write"):
        await any_core.use_cases.upload_sessions.add_track(lacking, session.id, wanted)
    tried = Options(validate_only=True)
    seen = await any_core.use_cases.upload_sessions.add_track(
        WHO, session.id, wanted, options=tried
    )
    assert seen.track.index == "1"
    assert not await uploads_of(any_core, session)
    assert (await add(any_core, session)).track.index == "1"


async def test_the_same_request_adds_one_track(any_core: Core) -> None:
    session, options = await a_session(any_core), Options(key="a")
    wanted = TrackFields(file_name="a.wav", metadata={"n": 1})
    sessions = any_core.use_cases.upload_sessions
    first, again = [
        await sessions.add_track(WHO, session.id, wanted, options=options) for _ in range(2)
    ]
    assert first == again
    with pytest.raises(KeyReused):
        await sessions.add_track(WHO, session.id, TrackFields(file_name="b"), options=options)
    assert len(await uploads_of(any_core, session)) == 2


async def test_an_expired_session_takes_nothing(any_core: Core) -> None:
    session = await a_session(any_core)
    added, arrived = await add(any_core, session), await add(any_core, session)
    await bring(any_core, arrived.master)
    await age(any_core, session, timedelta(0))
    seen = await any_core.use_cases.upload_sessions.get(WHO, session.id)
    assert any_core.use_cases.upload_sessions.state_of(seen) is SessionState.EXPIRED
    with pytest.raises(StateConflict, match="has expired") as refused:
        await add(any_core, session)
    assert refused.value.status == "expired"
    # What was waited for goes at once; what has come is being imported, and the tracks stay.
    await any_core.use_cases.retention.prune()
    assert await uploads_of(any_core, session) == {arrived.master.id}
    assert (await any_core.use_cases.tracks.list(WHO, ItemQuery())).total == 2
    with pytest.raises(NotFound):
        await any_core.use_cases.uploads.get(WHO, added.master.id)
    assert len(await blobs(any_core.use_cases.receiving.store)) == 1
    await age(any_core, session, KEPT + timedelta(seconds=1))
    assert (await any_core.use_cases.retention.prune())["upload_sessions"] == 1
    with pytest.raises(NotFound):
        await any_core.use_cases.upload_sessions.get(WHO, session.id)
    assert (await any_core.use_cases.upload_sessions.list(WHO, UploadSessionQuery())).total == 0
    assert len(await blobs(any_core.use_cases.receiving.store)) == 1


async def test_a_deleted_session_leaves_what_has_come(any_core: Core) -> None:
    session = await a_session(any_core)
    added = await add(any_core, session)
    await bring(any_core, added.master)
    with pytest.raises(NotFound):
        await any_core.use_cases.upload_sessions.delete(STRANGER, session.id)
    await any_core.use_cases.upload_sessions.delete(WHO, session.id)
    (left,) = (await any_core.use_cases.uploads.list(WHO, UploadQuery())).items
    assert (left.id, left.state) == (added.master.id, UploadState.STORED)
    assert left.master is not None
    assert left.master.size_bytes == len(FILE)
    assert (await any_core.use_cases.tracks.get(WHO, added.track.id)).path == "1/a.wav"
    with pytest.raises(NotFound):
        await add(any_core, session)
