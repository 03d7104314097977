"""stagedoor.v1.AuditService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.api.domain.queries import Slice
from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.names import AUDIT_ENTRIES
from services.api.grpc.paging import cut, total
from stagedoor.v1 import audit_service_pb2 as pb
from stagedoor.v1.audit_service_pb2_grpc import AuditServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.use_cases.audit import Audit

ORDERS: Final = ("create_time",)


class AuditServicer(AuditServiceServicer):
    """The audit log over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, audit: Audit) -> None:
        """Serve this log."""
        self._audit = audit

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListAuditEntriesResponse:
        """Lists what was done, oldest first."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, AUDIT_ENTRIES)
        page = await self._audit.list(who, Slice(**piece.slice_))
        return pb.ListAuditEntriesResponse(
            audit_entries=[messages.audit_entry(entry) for entry in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )
