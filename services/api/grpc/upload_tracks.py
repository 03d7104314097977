"""stagedoor.v1.UploadTrackService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.queries import UploadTrackQuery
from services.api.grpc.caller import caller
from services.api.grpc.etags import etag_of, expected
from services.api.grpc.filters import ids, parse_filter
from services.api.grpc.masks import masked, populated
from services.api.grpc.messages import problem, state, timestamp
from services.api.grpc.names import IMPORT_TASKS, UPLOAD_TRACKS, UPLOADS, name_of, require
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.upload_tracks import TrackFields
from stagedoor.v1 import upload_track_service_pb2 as pb
from stagedoor.v1.import_task_service_pb2 import ImportTask
from stagedoor.v1.upload_track_service_pb2_grpc import UploadTrackServiceServicer

if TYPE_CHECKING:
    from collections.abc import Collection

    from grpc.aio import ServicerContext

    from services.api.domain.upload_tracks import UploadTrack
    from services.api.use_cases.upload_tracks import UploadTracks

WRITABLE: Final = ("type", "language_code", "display_name", "closed_captions")
SOURCES: Final = ("source_uri", "source_upload")
FIXED: Final = ("upload", *SOURCES)
ORDERS: Final = ("create_time", "update_time")
_TYPE_PREFIX: Final = "TYPE_"


class UploadTrackServicer(UploadTrackServiceServicer):
    """Upload tracks over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, tracks: UploadTracks) -> None:
        """Serve these tracks."""
        self._tracks = tracks

    async def ListUploadTracks(
        self, request: pb.ListUploadTracksRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListUploadTracksResponse:
        """Lists the caller's upload tracks, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, UPLOAD_TRACKS, request.filter)
        wanted = parse_filter(request.filter, ("name", "upload"))
        query = UploadTrackQuery(
            ids=ids(wanted.get("name"), UPLOAD_TRACKS),
            upload_ids=ids(wanted.get("upload"), UPLOADS),
            **piece.slice_,
        )
        page = await self._tracks.list(who, query)
        return pb.ListUploadTracksResponse(
            upload_tracks=[_message(each) for each in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetUploadTrack(
        self, request: pb.GetUploadTrackRequest, context: ServicerContext[Any, Any]
    ) -> pb.UploadTrack:
        """Gets one upload track."""
        return _message(await self._tracks.get(caller(), require(request.name, UPLOAD_TRACKS)))

    async def CreateUploadTrack(
        self, request: pb.CreateUploadTrackRequest, context: ServicerContext[Any, Any]
    ) -> pb.UploadTrack:
        """Creates an upload track and its import task."""
        given = request.upload_track
        upload = require(given.upload, UPLOADS, "upload")
        fields = _fields(given, populated(given, (*WRITABLE, *SOURCES)))
        track = await self._tracks.create(caller(), upload, fields, options=options(request))
        return _message(track)

    async def UpdateUploadTrack(
        self, request: pb.UpdateUploadTrackRequest, context: ServicerContext[Any, Any]
    ) -> pb.UploadTrack:
        """Changes an upload track."""
        given = request.upload_track
        who, id_ = caller(), require(given.name, UPLOAD_TRACKS)
        paths = masked(given, request.update_mask, WRITABLE, FIXED)
        if "upload" in paths:
            present = (await self._tracks.get(who, id_)).upload_id
            if require(given.upload, UPLOADS, "upload") != present:
                detail = "The upload cannot be changed."
                raise InvalidFields(Violation("upload", "invalid", detail))
        track = await self._tracks.update(
            who,
            id_,
            _fields(given, paths),
            version=expected(given.etag),
            options=options(request),
        )
        return _message(track)

    async def DeleteUploadTrack(
        self, request: pb.DeleteUploadTrackRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes an upload track."""
        id_ = require(request.name, UPLOAD_TRACKS)
        await self._tracks.delete(caller(), id_, version=expected(request.etag))
        return Empty()


def _fields(given: pb.UploadTrack, paths: Collection[str]) -> TrackFields:
    values: dict[str, object] = {name: getattr(given, name) for name in paths if name != "upload"}
    if "type" in values:
        values["type"] = _type(given.type)
    if "closed_captions" in values and not given.HasField("closed_captions"):
        values["closed_captions"] = None
    if "source_upload" in values:
        values["source_upload"] = require(given.source_upload, UPLOADS, "source_upload")
    return TrackFields(**values)


def _type(value: pb.UploadTrack.Type.ValueType) -> str:
    """The core's word for a type, empty for none; of a number without one, what nobody knows."""
    if value == pb.UploadTrack.TYPE_UNSPECIFIED:
        return ""
    known = pb.UploadTrack.Type.DESCRIPTOR.values_by_number.get(value)
    return known.name.removeprefix(_TYPE_PREFIX).lower() if known else str(value)


def _message(track: UploadTrack) -> pb.UploadTrack:
    """The upload track as clients see it."""
    return pb.UploadTrack(
        name=name_of(UPLOAD_TRACKS, track.id),
        upload=name_of(UPLOADS, track.upload_id),
        type=pb.UploadTrack.Type.Value(_TYPE_PREFIX + track.type.name),
        language_code=track.language_code,
        display_name=track.display_name,
        closed_captions=track.closed_captions,
        import_task=name_of(IMPORT_TASKS, track.task_id),
        state=state(track.status) if track.status else ImportTask.STATE_UNSPECIFIED,
        problems=[problem(each) for each in track.problems],
        create_time=timestamp(track.created_at),
        update_time=timestamp(track.updated_at),
        etag=etag_of(track.version),
    )
