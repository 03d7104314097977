"""One of everything that clients and loops ask the database for, beside what benchmarks time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.api.domain.lifecycle import PublicationStatus, Stage
from services.api.domain.nouns import NOUNS
from services.api.domain.queries import (
    DeliveryQuery,
    ItemQuery,
    JobQuery,
    PublicationQuery,
    PublishJobQuery,
    UploadQuery,
    UploadSessionQuery,
    UploadTrackQuery,
)
from services.api.domain.subscriptions import DeliveryState
from services.api.domain.uploads import UploadState
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.session_fields import TrackFields as NewTrack
from services.api.use_cases.subscriptions import SubscriptionFields
from services.api.use_cases.upload_tracks import TrackFields
from tests.support.core import PACKED, a_principal
from tests.support.publishing import a_draft, a_job, publish
from tests.support.uploading import a_session, expect, stored_upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.core import Core

_WHO = a_principal()
_ORDERS = ((), (("updated_at", True),))


async def run_all(core: Core) -> None:
    """All of them; the core may send to this machine."""
    for errand in (_catalogue, _notifications, _tasks, _publishing, _uploads):
        await errand(core)
    await core.use_cases.dead_letters.add("a subject", b"a message", "a reason")
    await core.use_cases.retention.prune()
    await core.use_cases.blobs.forget(await core.use_cases.blobs.doomed(10))


async def _listed(
    list_: Callable[..., Awaitable[Any]], kind: type[Any], *filters: dict[str, Any]
) -> None:
    """The list in each order, after a position as well, and by each filter."""
    for order in _ORDERS:
        page = await list_(_WHO, kind(order=order))
        keys = [getattr(page.items[0], name) for name, _ in (*order, ("id", True))]
        await list_(_WHO, kind(order=order, after=tuple(keys)))
        await list_(_WHO, kind(order=order, before=tuple(keys)))
    for each in filters:
        await list_(_WHO, kind(**each))


async def _catalogue(core: Core) -> None:
    of_each = {}
    for noun in NOUNS:
        items = core.use_cases.catalogue[noun.collection]
        item = await items.create(_WHO, dict.fromkeys(noun.required, "A name"))
        of_each[noun.collection] = item
        references = [
            {each.name: {of_each[each.to].id}} for each in noun.references if each.to in of_each
        ]
        await _listed(
            items.list, ItemQuery, {"ids": {item.id}}, {"numbers": {item.number}}, *references
        )
        await items.update(_WHO, item.id, dict.fromkeys(noun.required, "Another name"))
        await items.delete(_WHO, item.id)


async def _notifications(core: Core) -> None:
    cases = core.use_cases
    fields = SubscriptionFields(target="https://localhost/", event_types=["stagedoor.*"])
    subscription = (await cases.subscriptions.create(_WHO, fields)).subscription
    delivery = await cases.subscriptions.ping(_WHO, subscription.id)

    async def list_(who: Any, query: DeliveryQuery) -> Any:
        return await cases.deliveries.list(who, subscription.id, query)

    await list_(_WHO, DeliveryQuery(order=(("created_at", True),)))
    await list_(_WHO, DeliveryQuery(states=frozenset({DeliveryState.PENDING})))
    await cases.deliveries.get(_WHO, subscription.id, delivery.id)
    await cases.deliveries.replay(_WHO, subscription.id, delivery.id)
    await cases.sending.take(10, {}, 10)


async def _tasks(core: Core) -> None:
    cases = core.use_cases
    task = await core.complete(await core.task("USERR0000001"), PACKED)
    await cases.records.get(_WHO, task.record_id)  # type: ignore[arg-type] # it is completed
    await cases.reports.of_task(_WHO, task.id)
    await cases.reports.of_record(_WHO, task.record_id)  # type: ignore[arg-type] # as above
    other = await core.track(title="Another track")
    again = TaskFields(source_uri="https://cdn.example.com/again.wav", isrc="USERR0000002")
    task = await cases.import_tasks.update(_WHO, task.id, again)
    await core.complete(task, PACKED)
    under_way = await core.task("USERR0000003")
    run = await core.claim(under_way.id, Stage.DOWNLOAD)
    await cases.runs.progress(under_way.id, run, 1, 2)
    await cases.import_tasks.delete(_WHO, under_way.id)
    await cases.tracks.delete(_WHO, other.id)


async def _publishing(core: Core) -> None:
    cases = core.use_cases
    task = await core.complete(await core.task("USERR0000004"))
    job = await a_job(core)
    publication = await publish(core, await a_draft(core, job, task))
    jobs, publications = cases.publish_jobs, cases.publications
    await _listed(jobs.list, PublishJobQuery, {"ids": {job.id}}, {"numbers": {job.number}})
    by = {
        "ids": publication.id,
        "numbers": publication.number,
        "job_ids": job.id,
        "task_ids": task.id,
    }
    states = {"statuses": {PublicationStatus.PUBLISHED}}
    each = ({name: {value}} for name, value in by.items())
    await _listed(publications.list, PublicationQuery, *each, states)
    await jobs.run_due(10)
    await publications.delete(_WHO, publication.id)


async def _uploads(core: Core) -> None:
    cases = core.use_cases
    upload, session = await stored_upload(core), await a_session(core)
    kept = await cases.uploads.keep(_WHO, (await stored_upload(core)).id)
    states = {"states": {UploadState.STORED}}
    await _listed(cases.uploads.list, UploadQuery, {"ids": {upload.id}}, states)
    await cases.uploads.to_look_for(10)
    source = TaskFields(source_upload=upload.id, isrc="USERR0000005")
    await cases.import_tasks.create(_WHO, source)
    words = TrackFields(
        type="subtitles", language_code="it", source_uri="https://cdn.example.com/a"
    )
    track = await cases.upload_tracks.create(_WHO, kept.id, words)
    of = {"upload_ids": {kept.id}}
    await _listed(cases.upload_tracks.list, UploadTrackQuery, {"ids": {track.id}}, of)
    await cases.upload_sessions.add_track(_WHO, session.id, NewTrack(file_name="a.wav"))
    sessions, collection = cases.upload_sessions, frozenset({session.collection_id})
    for query in (
        UploadSessionQuery(),
        UploadSessionQuery(ids=frozenset({session.id})),
        UploadSessionQuery(collections=collection),
    ):
        await sessions.list(_WHO, query)
    await cases.jobs.list(_WHO, JobQuery(numbers=frozenset({1})))
    await sessions.delete(_WHO, session.id)
    await cases.uploads.delete(_WHO, (await expect(core)).id)
    await cases.uploads.delete(_WHO, kept.id, force=True)
