"""The outermost of what surrounds a call: methods that there are not are refused in our words.

It stands before traces and metrics, so that made-up names cannot fill them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio

from services.api.grpc.aborts import abort
from services.api.grpc.statuses import unknown_method_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.api.grpc.surround import Context, Handler

LONGEST_NAME = 200


class UnknownMethods(aio.ServerInterceptor):
    """Answers UNIMPLEMENTED with its ErrorInfo, as gRPC itself would not."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Give the handler of the method, or one that refuses."""
        handler: Handler | None = await continuation(handler_call_details)
        return _refusing(handler_call_details.method) if handler is None else handler


def _refusing(method: str) -> Handler:
    async def refuse(_: Any, context: Context) -> None:
        await abort(context, unknown_method_status(method[:LONGEST_NAME]))

    return grpc.stream_stream_rpc_method_handler(refuse)
