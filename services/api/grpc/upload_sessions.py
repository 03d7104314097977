"""stagedoor.v1.UploadSessionService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.domain.nouns import COLLECTIONS, CREATORS
from services.api.domain.queries import UploadSessionQuery
from services.api.grpc import catalogue, uploads
from services.api.grpc.caller import caller
from services.api.grpc.filters import ids, parse_filter
from services.api.grpc.messages import STATE_PREFIX, metadata, struct, timestamp
from services.api.grpc.names import UPLOAD_SESSIONS, name_of, require
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.session_fields import SessionFields, TrackFields
from stagedoor.v1 import upload_session_service_pb2 as pb
from stagedoor.v1.upload_session_service_pb2_grpc import UploadSessionServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.domain.upload_sessions import UploadSession
    from services.api.use_cases.use_cases import UseCases

ORDERS: Final = ("create_time",)
_LINKS: Final = {"collection": COLLECTIONS.collection, "creator": CREATORS.collection}


class UploadSessionServicer(UploadSessionServiceServicer):
    """Upload sessions over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, use_cases: UseCases) -> None:
        """Serve its sessions, and the tracks and uploads that are made in them."""
        self._sessions = use_cases.upload_sessions
        self._uploads = use_cases.uploads
        service = catalogue.SERVICES["Track"]
        self._tracks = catalogue.ItemServicer(use_cases.tracks, service, use_cases.covers)

    async def ListUploadSessions(
        self, request: pb.ListUploadSessionsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListUploadSessionsResponse:
        """Lists the caller's sessions, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, UPLOAD_SESSIONS, request.filter)
        wanted = parse_filter(request.filter, ("name", *_LINKS))
        query = UploadSessionQuery(
            ids=ids(wanted.get("name"), UPLOAD_SESSIONS),
            collections=ids(wanted.get("collection"), _LINKS["collection"]),
            creators=ids(wanted.get("creator"), _LINKS["creator"]),
            **piece.slice_,
        )
        page = await self._sessions.list(who, query)
        return pb.ListUploadSessionsResponse(
            upload_sessions=[self._message(each) for each in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetUploadSession(
        self, request: pb.GetUploadSessionRequest, context: ServicerContext[Any, Any]
    ) -> pb.UploadSession:
        """Gets one session."""
        id_ = require(request.name, UPLOAD_SESSIONS)
        return self._message(await self._sessions.get(caller(), id_))

    async def CreateUploadSession(
        self, request: pb.CreateUploadSessionRequest, context: ServicerContext[Any, Any]
    ) -> pb.UploadSession:
        """Begins a session."""
        fields = _fields(request.upload_session)
        session = await self._sessions.create(caller(), fields, options=options(request))
        return self._message(session)

    async def DeleteUploadSession(
        self, request: pb.DeleteUploadSessionRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes a session."""
        await self._sessions.delete(caller(), require(request.name, UPLOAD_SESSIONS))
        return Empty()

    async def AddTrack(
        self, request: pb.AddTrackRequest, context: ServicerContext[Any, Any]
    ) -> pb.AddTrackResponse:
        """Adds a track to a session."""
        id_ = require(request.name, UPLOAD_SESSIONS)
        fields = TrackFields(
            file_name=request.file_name or UNSET,
            organization_index=request.organization_index or UNSET,
            metadata=metadata(request.metadata) if request.HasField("metadata") else UNSET,
        )
        added = await self._sessions.add_track(caller(), id_, fields, options=options(request))
        return pb.AddTrackResponse(
            track=self._tracks.message(added.track),
            master_upload=await uploads.message(added.master, self._uploads),
            cover_upload=await uploads.message(added.cover, self._uploads),
        )

    def _message(self, session: UploadSession) -> pb.UploadSession:
        """The session as clients see it."""
        creator = session.creator_id
        state = self._sessions.state_of(session)
        return pb.UploadSession(
            name=name_of(UPLOAD_SESSIONS, session.id),
            collection=name_of(_LINKS["collection"], session.collection_id),
            creator=name_of(_LINKS["creator"], creator) if creator else "",
            organization_index=session.organization_index or "",
            metadata=struct(session.metadata),
            state=pb.UploadSession.State.Value(STATE_PREFIX + state.name),
            expire_time=timestamp(session.expires_at),
            create_time=timestamp(session.created_at),
        )


def _fields(given: pb.UploadSession) -> SessionFields:
    """What a request says of a new session. Raises InvalidFields."""
    ttl = given.ttl
    return SessionFields(
        collection=require(given.collection, _LINKS["collection"], "collection"),
        creator=require(given.creator, _LINKS["creator"], "creator") if given.creator else None,
        organization_index=given.organization_index or UNSET,
        metadata=metadata(given.metadata) if given.HasField("metadata") else UNSET,
        ttl=ttl.seconds + ttl.nanos / 1e9 if given.HasField("ttl") else UNSET,
    )
