"""How every refused call ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from google.rpc.error_details_pb2 import RequestInfo
from grpc_status import rpc_status

from services.api.grpc.traces import trace_id

if TYPE_CHECKING:
    from google.rpc.status_pb2 import Status

    from services.api.grpc.surround import Context


async def abort(context: Context, status: Status) -> NoReturn:
    """End the call with this status; RequestInfo names its trace, for whoever reports the error."""
    if found := trace_id(context):
        status.details.add().Pack(RequestInfo(request_id=found))
    await context.abort_with_status(rpc_status.to_status(status))
