"""stagedoor.v1.RecordService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.api.domain.nouns import TARGETS
from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.filters import ids, parse_filter
from services.api.grpc.names import RECORDS, require
from services.api.grpc.paging import cut, total
from services.api.use_cases.records import RecordQuery
from stagedoor.v1 import record_service_pb2 as pb
from stagedoor.v1.record_service_pb2_grpc import RecordServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.use_cases.links import Links
    from services.api.use_cases.records import Records

FILTERS: Final = ("name", "target", "isrc")
ORDERS: Final = ("create_time",)


class RecordServicer(RecordServiceServicer):
    """Records over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, records: Records, links: Links) -> None:
        """Serve these records, and links to their bytes."""
        self._records = records
        self._links = links

    async def ListRecords(
        self, request: pb.ListRecordsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListRecordsResponse:
        """Lists the caller's valid records, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, RECORDS, request.filter)
        page = await self._records.list(who, _query(request.filter, **piece.slice_))
        return pb.ListRecordsResponse(
            records=[messages.record(record) for record in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetRecord(
        self, request: pb.GetRecordRequest, context: ServicerContext[Any, Any]
    ) -> pb.Record:
        """Gets one record, also a superseded one."""
        return messages.record(await self._records.get(caller(), require(request.name, RECORDS)))

    async def GenerateDownloadLink(
        self, request: pb.GenerateDownloadLinkRequest, context: ServicerContext[Any, Any]
    ) -> pb.DownloadLink:
        """Makes a link that gives the record's bytes to whoever holds it."""
        id_ = require(request.name, RECORDS)
        ttl = request.ttl.seconds + request.ttl.nanos / 1e9 if request.HasField("ttl") else None
        return messages.download_link(await self._links.create(caller(), id_, ttl))


def _query(filter_: str, **piece: Any) -> RecordQuery:
    wanted = parse_filter(filter_, FILTERS)
    return RecordQuery(
        ids=ids(wanted.get("name"), RECORDS),
        target_ids=ids(wanted.get("target"), *TARGETS),
        isrcs=wanted.get("isrc"),
        **piece,
    )
