"""stagedoor.v1.UploadService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.domain.queries import UploadQuery
from services.api.grpc.caller import caller
from services.api.grpc.etags import etag_of, expected
from services.api.grpc.messages import STATE_PREFIX, timestamp
from services.api.grpc.names import UPLOAD_SESSIONS, UPLOADS, name_of, require, require_target
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.upload_fields import UploadFields
from stagedoor.v1 import upload_service_pb2 as pb
from stagedoor.v1.upload_service_pb2_grpc import UploadServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.domain.uploads import Upload
    from services.api.use_cases.uploads import Uploads

ORDERS: Final = ("create_time", "update_time")


class UploadServicer(UploadServiceServicer):
    """Uploads over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, uploads: Uploads) -> None:
        """Serve these uploads."""
        self._uploads = uploads

    async def ListUploads(
        self, request: pb.ListUploadsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListUploadsResponse:
        """Lists the caller's uploads, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, UPLOADS)
        page = await self._uploads.list(who, UploadQuery(**piece.slice_))
        return pb.ListUploadsResponse(
            uploads=[await message(each, self._uploads) for each in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetUpload(
        self, request: pb.GetUploadRequest, context: ServicerContext[Any, Any]
    ) -> pb.Upload:
        """Gets one upload."""
        id_ = require(request.name, UPLOADS)
        return await message(await self._uploads.get(caller(), id_), self._uploads)

    async def CreateUpload(
        self, request: pb.CreateUploadRequest, context: ServicerContext[Any, Any]
    ) -> pb.Upload:
        """Expects a file and says where to put it."""
        fields = _fields(request.upload)
        upload = await self._uploads.create(caller(), fields, options=options(request))
        return await message(upload, self._uploads)

    async def KeepUpload(
        self, request: pb.KeepUploadRequest, context: ServicerContext[Any, Any]
    ) -> pb.Upload:
        """Keeps a stored upload as an asset."""
        id_, version = require(request.name, UPLOADS), expected(request.etag)
        kept = await self._uploads.keep(caller(), id_, version=version, options=options(request))
        return await message(kept, self._uploads)

    async def DeleteUpload(
        self, request: pb.DeleteUploadRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes an upload."""
        id_ = require(request.name, UPLOADS)
        version = expected(request.etag)
        await self._uploads.delete(caller(), id_, version=version, force=request.force)
        return Empty()


async def message(upload: Upload, uploads: Uploads) -> pb.Upload:
    """The upload as clients see it. Raises Unavailable."""
    session = upload.session_id
    seen = pb.Upload(
        name=name_of(UPLOADS, upload.id),
        kind=upload.kind,
        file_name=upload.file_name or "",
        content_type=upload.content_type or "",
        size_limit=upload.size_limit,
        declared_size=upload.declared_size or 0,
        declared_md5=upload.declared_md5 or "",
        target=name_of(upload.target.type, upload.target.id) if upload.target else "",
        state=pb.Upload.State.Value(STATE_PREFIX + upload.state.name),
        upload_uri=await uploads.uri(upload) or "",
        expire_time=timestamp(upload.ends_at),
        create_time=timestamp(upload.created_at),
        update_time=timestamp(upload.updated_at),
        etag=etag_of(upload.version),
        upload_session=name_of(UPLOAD_SESSIONS, session) if session else "",
    )
    if upload.master is not None:
        seen.size_bytes = upload.master.size_bytes
        seen.actual_md5 = upload.master.md5
    return seen


def _fields(given: pb.Upload) -> UploadFields:
    ttl = given.ttl
    return UploadFields(
        kind=given.kind or UNSET,
        file_name=given.file_name or UNSET,
        content_type=given.content_type or UNSET,
        size_limit=given.size_limit,
        declared_size=given.declared_size,
        declared_md5=given.declared_md5 or UNSET,
        target=require_target(given.target, "target") if given.target else UNSET,
        ttl=ttl.seconds + ttl.nanos / 1e9 if given.HasField("ttl") else UNSET,
    )
