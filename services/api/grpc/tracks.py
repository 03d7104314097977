"""stagedoor.v1.TrackService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.etags import expected
from services.api.grpc.masks import masked, populated
from services.api.grpc.names import TRACKS, require
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.tracks import TrackFields, TrackQuery
from stagedoor.v1 import track_service_pb2 as pb
from stagedoor.v1.track_service_pb2_grpc import TrackServiceServicer

if TYPE_CHECKING:
    from collections.abc import Collection

    from grpc.aio import ServicerContext

    from services.api.use_cases.tracks import Tracks

WRITABLE: Final = ("title", "isrc", "stereo_duration")
ORDERS: Final = ("create_time", "update_time")


class TrackServicer(TrackServiceServicer):
    """Tracks over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, tracks: Tracks) -> None:
        """Serve these tracks."""
        self._tracks = tracks

    async def ListTracks(
        self, request: pb.ListTracksRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListTracksResponse:
        """Lists the caller's tracks, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, TRACKS)
        page = await self._tracks.list(who, TrackQuery(**piece.slice_))
        return pb.ListTracksResponse(
            tracks=[messages.track(track) for track in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetTrack(
        self, request: pb.GetTrackRequest, context: ServicerContext[Any, Any]
    ) -> pb.Track:
        """Gets one track."""
        return messages.track(await self._tracks.get(caller(), require(request.name, TRACKS)))

    async def CreateTrack(
        self, request: pb.CreateTrackRequest, context: ServicerContext[Any, Any]
    ) -> pb.Track:
        """Creates a track."""
        fields = _fields(request.track, populated(request.track, WRITABLE))
        track = await self._tracks.create(caller(), fields, options=options(request))
        return messages.track(track)

    async def UpdateTrack(
        self, request: pb.UpdateTrackRequest, context: ServicerContext[Any, Any]
    ) -> pb.Track:
        """Changes a track."""
        id_ = require(request.track.name, TRACKS)
        fields = _fields(request.track, masked(request.track, request.update_mask, WRITABLE))
        version = expected(request.track.etag)
        track = await self._tracks.update(
            caller(), id_, fields, version=version, options=options(request)
        )
        return messages.track(track)

    async def DeleteTrack(
        self, request: pb.DeleteTrackRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes a track that nothing is linked to."""
        id_ = require(request.name, TRACKS)
        await self._tracks.delete(caller(), id_, version=expected(request.etag))
        return Empty()


def _fields(track: pb.Track, paths: Collection[str]) -> TrackFields:
    def value(field: str) -> object:
        return (getattr(track, field) or None) if field in paths else UNSET

    seconds: object = UNSET
    if "stereo_duration" in paths:
        length = track.stereo_duration
        is_given = track.HasField("stereo_duration")
        seconds = length.seconds + length.nanos / 1e9 if is_given else None
    return TrackFields(title=value("title"), isrc=value("isrc"), stereo_duration=seconds)
