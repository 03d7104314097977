"""stagedoor.v1.PublicationService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.domain.nouns import TRACKS
from services.api.domain.publishing import Start
from services.api.domain.queries import PublicationQuery
from services.api.grpc.caller import caller
from services.api.grpc.catalogue import new_item
from services.api.grpc.etags import etag_of, expected
from services.api.grpc.filters import ids, numbers, parse_filter
from services.api.grpc.import_tasks import new_task
from services.api.grpc.masks import masked, populated
from services.api.grpc.messages import STATE_PREFIX, download_link, duration, problem, timestamp
from services.api.grpc.names import (
    IMPORT_TASKS,
    PUBLICATIONS,
    PUBLISH_JOBS,
    RECORDS,
    RENDITIONS,
    name_of,
    require,
)
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.publications import PublicationFields
from stagedoor.v1 import publication_service_pb2 as pb
from stagedoor.v1.publication_service_pb2_grpc import PublicationServiceServicer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from grpc.aio import ServicerContext

    from services.api.domain.publishing import Publication, Rendition
    from services.api.use_cases.links import Links
    from services.api.use_cases.publications import Publications
    from stagedoor.v1.record_service_pb2 import DownloadLink

WRITABLE: Final = ("formats", "metadata")
MASTERS: Final = {"import_task": IMPORT_TASKS, "record": RECORDS}
FILTERS: Final = ("name", "number", "publish_job", "import_task")
ORDERS: Final = ("create_time", "update_time")
_STARTS: Final[Mapping[int, Start]] = {
    pb.Publication.START_AT_ONCE: Start.AT_ONCE,
    pb.Publication.START_WHEN_QUIET: Start.WHEN_QUIET,
}


class PublicationServicer(PublicationServiceServicer):
    """Publications over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, publications: Publications, links: Links) -> None:
        """Serve these publications, and links to their renditions."""
        self._publications = publications
        self._links = links

    async def ListPublications(
        self, request: pb.ListPublicationsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListPublicationsResponse:
        """Lists the caller's publications, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, PUBLICATIONS, request.filter)
        wanted = parse_filter(request.filter, FILTERS)
        query = PublicationQuery(
            ids=ids(wanted.get("name"), PUBLICATIONS),
            numbers=numbers(wanted.get("number")),
            job_ids=ids(wanted.get("publish_job"), PUBLISH_JOBS),
            task_ids=ids(wanted.get("import_task"), IMPORT_TASKS),
            **piece.slice_,
        )
        page = await self._publications.list(who, query)
        return pb.ListPublicationsResponse(
            publications=[_message(each) for each in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetPublication(
        self, request: pb.GetPublicationRequest, context: ServicerContext[Any, Any]
    ) -> pb.Publication:
        """Gets one publication."""
        id_ = require(request.name, PUBLICATIONS)
        return _message(await self._publications.get(caller(), id_))

    async def CreatePublication(
        self, request: pb.CreatePublicationRequest, context: ServicerContext[Any, Any]
    ) -> pb.Publication:
        """Puts a master into a publish job."""
        fields = _read(request.publication)
        return _message(await self._publications.create(caller(), fields, options=options(request)))

    async def ImportPublication(
        self, request: pb.ImportPublicationRequest, context: ServicerContext[Any, Any]
    ) -> pb.Publication:
        """Makes an import along with the publication of its master."""
        track = new_item(TRACKS, request.track) if request.HasField("track") else None
        fields = replace(
            _read(request.publication),
            new_task=new_task(request.import_task),
            new_track=track,
        )
        return _message(await self._publications.create(caller(), fields, options=options(request)))

    async def UpdatePublication(
        self, request: pb.UpdatePublicationRequest, context: ServicerContext[Any, Any]
    ) -> pb.Publication:
        """Changes formats or metadata."""
        given = request.publication
        id_ = require(given.name, PUBLICATIONS)
        paths = masked(given, request.update_mask, WRITABLE)
        fields = PublicationFields(formats=_formats(given, paths), metadata=_metadata(given, paths))
        publication = await self._publications.update(
            caller(), id_, fields, version=expected(given.etag), options=options(request)
        )
        return _message(publication)

    async def DeletePublication(
        self, request: pb.DeletePublicationRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes a publication and its renditions."""
        id_ = require(request.name, PUBLICATIONS)
        await self._publications.delete(caller(), id_, version=expected(request.etag))
        return Empty()

    async def GenerateRenditionLink(
        self, request: pb.GenerateRenditionLinkRequest, context: ServicerContext[Any, Any]
    ) -> DownloadLink:
        """Makes a link that gives the rendition's bytes to whoever holds it."""
        id_ = require(request.name, RENDITIONS)
        ttl = request.ttl.seconds + request.ttl.nanos / 1e9 if request.HasField("ttl") else None
        return download_link(await self._links.create_for_rendition(caller(), id_, ttl))


def _read(given: pb.Publication) -> PublicationFields:
    paths = populated(given, (*WRITABLE, *MASTERS))

    def master(field: str) -> UUID | None:
        name = getattr(given, field)
        return require(name, MASTERS[field], field) if field in paths else None

    return PublicationFields(
        job=require(given.publish_job, PUBLISH_JOBS, "publish_job"),
        import_task=master("import_task"),
        record=master("record"),
        formats=_formats(given, paths),
        metadata=_metadata(given, paths),
        file_name=given.file_name or UNSET,
        start=_start(given.start),
    )


def _start(given: int) -> Start:
    """When it is queued; what is not known here, as in RunPublishJob."""
    return _STARTS.get(given, Start.WITH_JOB)


def _formats(given: pb.Publication, paths: Collection[str]) -> object:
    return tuple(given.formats) if "formats" in paths else UNSET


def _metadata(given: pb.Publication, paths: Collection[str]) -> object:
    return dict(given.metadata) if "metadata" in paths else UNSET


def _message(publication: Publication) -> pb.Publication:
    """The publication as clients see it."""
    record = publication.record_id
    failure = publication.last_failure
    return pb.Publication(
        name=name_of(PUBLICATIONS, publication.id),
        publish_job=name_of(PUBLISH_JOBS, publication.job_id),
        import_task=name_of(IMPORT_TASKS, publication.task_id),
        record=name_of(RECORDS, record) if record else "",
        formats=publication.formats,
        metadata=publication.metadata,
        number=publication.number,
        state=pb.Publication.State.Value(STATE_PREFIX + publication.status.name),
        generation=publication.generation,
        attempts=publication.attempts,
        problems=[problem(each) for each in publication.problems],
        last_failure=problem(failure) if failure else None,
        renditions=[_rendition(each) for each in publication.renditions],
        create_time=timestamp(publication.created_at),
        update_time=timestamp(publication.updated_at),
        etag=etag_of(publication.version),
        file_name=publication.file_name or "",
    )


def _rendition(rendition: Rendition) -> pb.Rendition:
    return pb.Rendition(
        name=name_of(RENDITIONS, rendition.id),
        format=rendition.format,
        size_bytes=rendition.size_bytes,
        md5=rendition.md5,
        sample_rate_hertz=rendition.sample_rate,
        channels=rendition.channels,
        bit_depth=rendition.bit_depth,
        duration=duration(timedelta(seconds=rendition.duration_seconds)),
        integrated_lufs=rendition.integrated_lufs,
        true_peak_dbtp=rendition.true_peak_dbtp,
        create_time=timestamp(rendition.created_at),
    )
